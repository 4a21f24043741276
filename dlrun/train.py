"""The eight steps of one run, in order, nothing else."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from dlrun.config.dumping import dump_config
from dlrun.config.schema import Config, with_section
from dlrun.data._saved import save_preprocessing
from dlrun.engine import failures
from dlrun.engine.recording import RunLog, provenance, run_metrics
from dlrun.engine.resolve import Experiment, keep_plugins, load_data, open_session, settled_data
from dlrun.errors import DlrunError, Interrupted, RunDirError, TrainingError
from dlrun.events import DataReady, Note, OnEvent, RunEnded, RunStarted, ignore
from dlrun.registry import ROUTINES
from dlrun.run_dir import COMPLETED, FAILED, INTERRUPTED, RunDir, write_json, write_text


def train(
    config: Config,
    *,
    outputs: Path = Path("outputs"),
    run_dir: Path | None = None,
    resume: RunDir | None = None,
    on_event: OnEvent = ignore,
    command: Sequence[str] = (),
) -> RunDir:
    """Run one experiment and return its run directory.

    The run lies in a new directory under `outputs`, or in `run_dir`. With `resume` that run goes on from its newest
    checkpoint (from the start, equally, when it has none). A mistake that can be seen before the data is read leaves
    nothing behind. Raises DlrunError; a run that began then says `failed` or `interrupted`.
    """
    began = time.perf_counter()
    with open_session(config) as session:
        run = resume or (RunDir.claim(run_dir) if run_dir else RunDir.create(outputs, config.name))
        with RunLog(run, on_event) as emit:
            if resume:
                before = run.record()
                began -= before.get("seconds") or 0  # a resumed run counts the time of its earlier part
                run.start({**before, "failure": None})
            else:
                config = keep_plugins(config, run)
                config = with_section(config, "runtime", threads=session.threads)
                write_text(run.config_file, dump_config(config))
                run.start(provenance(config, session, command))
            emit(RunStarted(run.id, run.path, config.name))
            _guarded(config, run, emit, began, resumed=resume is not None)
    return run


def _guarded(config: Config, run: RunDir, emit: OnEvent, began: float, *, resumed: bool) -> None:
    """Steps 6 to 8, with the run's status right whatever happens."""
    try:
        _work(config, run, emit, began, resumed=resumed)
    except (Interrupted, KeyboardInterrupt) as error:
        resumable = isinstance(error, Interrupted) and error.exit_code == 75
        run.end(INTERRUPTED, resumable=resumable, seconds=round(time.perf_counter() - began, 2))
        emit(RunEnded(INTERRUPTED, time.perf_counter() - began))
        raise
    except DlrunError as error:
        kind = error.kind if isinstance(error, TrainingError) else type(error).__name__.removesuffix("Error").lower()
        run.end(FAILED, failure={"kind": kind, "message": str(error.located(config.place))})
        emit(RunEnded(FAILED, time.perf_counter() - began))
        raise
    except Exception as error:
        run.end(FAILED, failure={"kind": "crash", "message": f"{type(error).__name__}: {error}"})
        with run.log_file.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        emit(RunEnded(FAILED, time.perf_counter() - began))
        raise


def _work(config: Config, run: RunDir, emit: OnEvent, began: float, *, resumed: bool) -> None:
    data = load_data(config)
    if resumed and data.fingerprint != run.record().get("data"):
        raise RunDirError("the data is not the same as when the run began", hint="start a new run on the new data")
    save_preprocessing(data, run.preprocess)
    run.update(data=data.fingerprint, split={"kind": data.split_kind, **{k: len(v) for k, v in data.splits.items()}})
    emit(
        DataReady(
            config.data.name,
            ", ".join(task.kind for task in data.spec.tasks.values()),
            {name: len(rows) for name, rows in data.splits.items()},
            {name: spec.shape for name, spec in data.spec.inputs.items()},
        )
    )
    for note in data.notes:
        emit(Note(note))
    experiment = Experiment(config, run, data, emit, resumed and run.checkpoint.exists())
    experiment.settle(**settled_data(config, data))
    routine = ROUTINES.get(config.routine.name)
    try:
        outcome = routine(experiment, **config.routine.parameters)
    except DlrunError:
        raise
    except Exception as error:  # boundary: Keras, TensorFlow or the user's routine
        with run.log_file.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        raise failures.explain(error, config) from error
    seconds = time.perf_counter() - began
    metrics = run_metrics(experiment, outcome, seconds)
    write_json(run.metrics_file, metrics)
    run.end(COMPLETED, seconds=round(seconds, 2), notes=data.notes)
    emit(RunEnded(COMPLETED, seconds))
