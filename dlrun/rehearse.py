"""`dlrun train --dry-run`: everything a run does, on a few batches, in a folder that is thrown away."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from dlrun.config.schema import Config, with_section
from dlrun.data._dataset import Prepared
from dlrun.data._saved import load_preprocessing, save_preprocessing
from dlrun.engine.describing import ModelTable, describe_model, join_tables, training_bytes
from dlrun.engine.feeding import Feeder
from dlrun.engine.model_files import load_model
from dlrun.engine.resolve import Experiment, load_data, model_of, open_session
from dlrun.engine.running import run_routine
from dlrun.engine.scoring import predict_rows
from dlrun.errors import TrainingError
from dlrun.events import ignore
from dlrun.run_dir import RunDir

BATCHES = 10


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run found. Bytes and seconds are estimates for the whole run; `data_bytes` is measured."""

    model: ModelTable
    rows: dict[str, int]
    steps_per_epoch: int
    epochs: int
    seconds: float
    data_bytes: int
    training_bytes: int
    notes: list[str]


def rehearse(config: Config) -> Rehearsal:
    """Train two epochs (one of each stage) of up to ten batches, save, load, compare predictions. Raises DlrunError."""
    with open_session(config), tempfile.TemporaryDirectory(prefix="dlrun-") as folder:
        return _rehearse(config, load_data(config), RunDir(Path(folder)))


def _rehearse(config: Config, data: Prepared, run: RunDir) -> Rehearsal:
    batch_size = config.training.batch_size
    short = replace(data, splits={name: rows[: BATCHES * batch_size] for name, rows in data.splits.items()})
    save_preprocessing(data, run.preprocess)
    run.start({})
    experiment = Experiment(_shortened(config), run, short, ignore)
    outcome = run_routine(experiment)
    saved = sorted(run.path.glob("last*.keras"))
    models = [load_model(path) for path in saved]
    if [path.name for path in saved] == ["last.keras"]:
        _check_reloaded(models[0], short, run)
    table = join_tables([describe_model(model) for model in models])
    first, second = outcome.progress.seconds[0], outcome.progress.seconds[-1]
    steps = config.training.steps(len(data.splits["training"]))
    per_step = second / experiment.config.training.steps(len(short.splits["training"]))
    return Rehearsal(
        model=table,
        rows={name: len(rows) for name, rows in data.splits.items()},
        steps_per_epoch=steps,
        epochs=config.training.epochs,
        seconds=max(0.0, first - second) + per_step * steps * config.training.epochs,
        data_bytes=sum(array.nbytes for array in [*data.arrays.values(), *data.targets.values()]),
        training_bytes=training_bytes(table, batch_size),
        notes=data.notes,
    )


def _shortened(config: Config) -> Config:
    steps = config.training.steps_per_epoch
    short = {} if steps is None else {"steps_per_epoch": min(BATCHES, steps)}
    config = with_section(config, "runtime", strategy="none")  # what a session does that is not for training
    stages = range(len(config.training.stages))
    config = config.model_copy(update={"training": config.training.with_epochs(max(2, len(stages)), stages)})
    return with_section(config, "training", tensorboard=False, **short)


def _check_reloaded(model: object, data: Prepared, run: RunDir) -> None:
    """The saved model and the saved preprocessing give finite predictions for a batch. Raises TrainingError."""
    saved = load_preprocessing(run.preprocess)
    rows = data.splits["training"][:8]
    feeder = Feeder(saved.encoder, {**data.arrays, **data.shared})
    outputs = predict_rows(model, feeder, rows, len(rows), saved.spec.tasks)
    if not all((abs(values) < float("inf")).all() for values in outputs.values()):
        raise TrainingError("the reloaded model's predictions are not finite", kind="nan")


def summarise(config: Config) -> ModelTable:
    """The model that a config builds, without training it. Raises DlrunError."""
    return describe_model(model_of(config))
