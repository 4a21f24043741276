"""Scoring a finished run, or a `.keras` file inside or outside one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun.config.schema import Config
from dlrun.data._dataset import Prepared
from dlrun.data._fingerprint import same_data
from dlrun.data._saved import load_preprocessing
from dlrun.drawing import draw_confusion
from dlrun.engine.baselines import baselines, levels_of
from dlrun.engine.compiling import choose_outputs
from dlrun.engine.feeding import Feeder
from dlrun.engine.guard_rails import Finding, keep
from dlrun.engine.measured_loss import Losses, predict_with_losses, predict_without_losses
from dlrun.engine.model_files import load_predictor
from dlrun.engine.resolve import load_data, open_session
from dlrun.engine.scoring import (
    BATCH_SIZE,
    Score,
    by_task,
    in_units_of_targets,
    outputs_by_task,
    score,
)
from dlrun.engine.task_rules import with_labels_for
from dlrun.errors import ConfigError, DataError
from dlrun.files import make_folder, write_json
from dlrun.registry import ROUTINES
from dlrun.run_dir import FORMAT, RunDir


@dataclass(frozen=True)
class OutputScore:
    """The score of one output beside its baselines; `labels` and `unit` are those of its task."""

    score: Score
    baselines: dict[str, float]
    labels: tuple[str, ...]
    unit: str

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        values = asdict(self)
        score = values.pop("score")
        return values | score


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model's outputs, by task; of several, `total` is the loss of all together. `file` is where they
    were written, None outside a run; `reading` counts how often this run's test part has been read, this time included.
    """

    split: str
    model_file: Path
    outputs: dict[str, OutputScore]
    notes: list[str]
    total: Losses = field(default_factory=dict)
    file: Path | None = None
    reading: int | None = None

    @property
    def score(self) -> Score:
        """The score of the only output. Raises ValueError when there are several."""
        (only,) = self.outputs.values()
        return only.score

    def as_dict(self) -> dict[str, Any]:
        """JSON values: those of the only output beside the others, those of several under `outputs` by task."""
        values = {name: value for name, value in vars(self).items() if name != "outputs"}
        if not self.total:
            del values["total"]
        scores = {name: output.as_dict() for name, output in self.outputs.items()}
        found = {"outputs": scores} if len(scores) > 1 else next(iter(scores.values()))
        return {"format": FORMAT, **values, **found}


def evaluate(
    config: Config,
    model_file: Path,
    *,
    run: RunDir | None = None,
    split: str = "test",
) -> Evaluation:
    """Score the model in `model_file` on a split of the config's data.

    With a `run` the score is written into it, and every reading of test is recorded. Raises DlrunError.
    """
    if run:
        make_folder(run.evaluations)  # before the work, not after it
    with open_session(config):
        data = load_data(config, load_preprocessing(run.preprocess) if run else None)
        notes = _check_same_data(data, run)
        if split not in data.splits:
            raise DataError(
                f"the data has no {split} part",
                expected=", ".join(data.splits),
                hint="split.test in the config makes one",
            )
        model = load_predictor(model_file)
        if measure := _own_measure(config):
            values, levels = measure(model, data, split, config.seed)
            score_of_rows = Score(len(data.splits[split]), values, intervals={})
            outputs, total = {config.routine.name: OutputScore(score_of_rows, levels, (), "")}, Losses()
        else:
            outputs, total = _score_split(model, data, split, config)
    evaluation = Evaluation(split, model_file, outputs, notes, total)
    return _record(evaluation, run) if run else evaluation


def _own_measure(config: Config) -> Callable[..., tuple[Losses, Losses]] | None:
    """The function `measure` beside a routine that learns no targets: figures of a split, and baselines of some."""
    module = sys.modules[ROUTINES.get(config.routine.name).__module__]
    return getattr(module, "measure", None)


def _check_same_data(data: Prepared, run: RunDir | None) -> list[str]:
    if run is None or same_data(data.fingerprint, run.record().get("data")):
        return []
    return ["the data is not what the run was trained on: its content or its split has changed"]


def _score_split(
    model: keras.Model, data: Prepared, split: str, config: Config
) -> tuple[dict[str, OutputScore], Losses]:
    """The score of each task, and of several the loss of all together."""
    if not data.spec.tasks:
        raise ConfigError("the data has no targets to score against", key=("data",))
    _check_inputs(model, data)
    _check_outputs(model, data)
    rows, tasks = data.splits[split], data.spec.tasks
    outputs, total, losses = _predict(model, data, rows, config)
    stated = {name: config.output(name).loss for name in tasks}
    outputs = in_units_of_targets(outputs, data.spec, data.target_scales, stated)
    levels = _levels(data, split, config, losses)
    found = {}
    for name, task in tasks.items():
        scored = score(outputs[name], data.original_targets[name][rows], task, config.seed)
        values = {**scored.values, **losses[name]}
        found[name] = OutputScore(replace(scored, values=values), levels[name], task.labels, task.unit)
    return found, total


def _levels(data: Prepared, split: str, config: Config, losses: Mapping[str, Losses]) -> dict[str, dict[str, float]]:
    """The baselines of each task: in original units, but those of its losses in the model's."""
    found = baselines(data, split, seed=config.seed, original_units=True)
    own = baselines(data, split, seed=config.seed) if data.target_scales else found
    return {
        name: level | levels_of(losses[name], {name: config.output(name)}, {name: own[name]})
        for name, level in found.items()
    }


def _predict(
    model: keras.Model, data: Prepared, rows: np.ndarray, config: Config
) -> tuple[dict[str, np.ndarray], Losses, dict[str, Losses]]:
    """Outputs `(rows, units)` by task, the loss of several together, and the losses of each task."""
    tasks = data.spec.tasks
    if config.routine.name in ("fit", "language_model"):
        chosen = choose_outputs(config, tasks)
        losses = {name: output.loss for name, output in chosen.items() if output.loss is not None}
        feeder = Feeder.of(with_labels_for(losses, data))
        found, total, each = predict_with_losses(model, feeder, rows, BATCH_SIZE, chosen)
    else:  # others learn by what they like
        found, total, each = predict_without_losses(model, Feeder.of(data), rows, BATCH_SIZE, tasks)
    return by_task(found, tasks), total, each


def _check_inputs(model: keras.Model, data: Prepared) -> None:
    """Raise ConfigError when the model takes inputs of other shapes than the data gives."""
    if not getattr(model, "inputs", None):
        return
    wanted = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    given = {name: tuple(spec.shape) for name, spec in data.spec.inputs.items()}
    if (wanted != given) if len(given) > 1 else (list(wanted.values()) != list(given.values())):
        message = f"the model takes inputs of shape {_shapes(wanted)}, the data gives {_shapes(given)}"
        raise ConfigError(message, key=("data",))


def _check_outputs(model: keras.Model, data: Prepared) -> None:
    """Raise ConfigError when the model gives other outputs than the tasks want."""
    found = outputs_by_task(model, data.spec.tasks)
    if found is None:
        return
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in found.items()}
    wanted = {name: (task.head.units,) for name, task in data.spec.tasks.items()}
    if shapes != wanted:
        units = ", ".join(f"{name}: {task.head.units}" for name, task in data.spec.tasks.items())
        units = units if len(wanted) > 1 else units.rpartition(" ")[2]
        raise ConfigError(f"the model's output is {_shapes(shapes)}, the data wants {units} per sample")


def _shapes(found: dict[str, tuple[Any, ...]]) -> str:
    """Shapes in words, with their names when there are several."""
    if len(found) == 1:
        return str(next(iter(found.values())))
    return ", ".join(f"{name} {shape}" for name, shape in found.items())


def _record(evaluation: Evaluation, run: RunDir) -> Evaluation:
    """Write the evaluation into the run; a reading of test is counted in `run.json`."""
    numbers = [int(path.name[:3]) for path in run.evaluations.glob("[0-9][0-9][0-9]-*")]
    number = max(numbers, default=0) + 1
    stem = f"{number:03d}-{evaluation.split}-{evaluation.model_file.stem}"
    file = run.evaluations / f"{stem}.json"
    reading = None
    if evaluation.split == "test":
        reading = count_reading(run, evaluation.model_file, file.name)
    for name, output in evaluation.outputs.items():
        if output.score.confusion:
            safe = re.sub(r"[^\w.-]", "_", name)
            picture = f"{stem}-{safe}.png" if len(evaluation.outputs) > 1 else f"{stem}.png"
            draw_confusion(output.score.confusion, output.labels, run.evaluations / picture)
    written = Evaluation(**{**vars(evaluation), "file": file, "reading": reading})
    write_json(file, written.as_dict())
    return written


def count_reading(run: RunDir, model_file: Path, file: str) -> int:
    """List a reading of the test part in `run.json`, with the `file` that has its scores; how many there are now."""
    readings = run.record().get("test_readings", [])
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    run.update(test_readings=[*readings, {"time": now, "model": model_file.name, "file": file}])
    if readings:
        keep(run, [Finding("test", "test was read more than once; do not choose by it (DLwP 4.2.1)")])
    return len(readings) + 1
