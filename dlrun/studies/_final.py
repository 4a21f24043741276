"""After the folds: a fresh model on all rows that are not test rows, and one reading of test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.config.schema import Config, with_section
from dlrun.errors import ConfigError, JobError
from dlrun.files import short, write_text
from dlrun.jobs.job import Job
from dlrun.jobs.local import run_jobs
from dlrun.keeping import BEST, LAST, NONE
from dlrun.run_dir import COMPLETED, RunDir, read_json
from dlrun.studies import retrain
from dlrun.studies._study_dir import StudyDir

NAME = "final"


def train_and_read(
    study: StudyDir, config: Config, epochs: int, batch_size: int | None, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The run `final` of the study and its metrics on test, None when there is no test part.

    A final run that is there is kept, and a reading that was made is not made again. Raises JobError, ConfigError when
    a final run of other epochs or batches is there.
    """
    run, file = study.run(NAME), study.config_of(NAME)
    final, notes = retrain.on_all_rows(config, epochs, batch_size)
    final = final.model_copy(update={"name": config.name, "kfold": None})
    if final.training.keep in (LAST, NONE):
        final = with_section(final, "training", keep=BEST)  # by which test is read; without validation it is the last
    text = dump_config(final)
    if run.record_file.exists() and file.read_text(encoding="utf-8") != text:
        message = f"the study has a final run of other epochs or batches: {short(run.path)}"
        raise ConfigError(message, hint="ask for the same, or move that run away first")
    write_text(file, text)
    used = final.training.batch_size
    if used != config.training.batch_size:
        notes.append(
            f"the number of epochs was found with batches of {config.training.batch_size}; with {used} an epoch has "
            "fewer or more updates"
        )
    for note in notes:
        tell(note)
    (result,) = run_jobs([Job(file, run.path, again=True)])
    if result.status != COMPLETED:
        raise JobError(f"the final run is {result.status or 'not begun'}", hint=f"see {short(run.path)}.out")
    reading = _read_test(run)
    return {"run": run.id, "epochs": epochs, "batch_size": used, "metrics": reading and _metrics(reading)}


def _read_test(run: RunDir) -> dict[str, Any] | None:
    """The first evaluation of the run on test, made now if it was not before; None when there is no test part."""
    made = sorted(run.evaluations.glob("[0-9][0-9][0-9]-test-*.json"))
    if made:
        return read_json(made[0])
    if "test" not in run.record()["split"]:
        return None
    config = load_config(run.config_file)
    from dlrun.environment import import_keras

    import_keras(config.runtime.backend, config.runtime.device, lean=True)
    from dlrun.evaluate import evaluate

    return evaluate(config, run.model_file("best"), run=run).as_dict()


def _metrics(reading: dict[str, Any]) -> dict[str, Any]:
    """The metrics of the only output; of several by task."""
    outputs = reading.get("outputs")
    return {name: one["values"] for name, one in outputs.items()} if outputs else dict(reading["values"])
