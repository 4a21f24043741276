"""Scoring a finished run, or a `.keras` file inside or outside one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import keras

from dlrun.config.schema import Config
from dlrun.data._dataset import Prepared
from dlrun.data._fingerprint import same_data
from dlrun.data._saved import load_preprocessing
from dlrun.drawing import draw_confusion
from dlrun.engine.feeding import Feeder
from dlrun.engine.resolve import load_data, open_session
from dlrun.engine.saving import load_model
from dlrun.engine.scoring import BATCH_SIZE, Score, baselines, outputs_as_predictions, predict_rows, score
from dlrun.errors import ConfigError, DataError
from dlrun.files import make_folder, write_json
from dlrun.run_dir import FORMAT, RunDir


@dataclass(frozen=True)
class Evaluation:
    """A score with what was scored. `file` is where it was written, None outside a run; `reading` counts how often
    this run's test part has been read, this time included.
    """

    split: str
    model_file: Path
    score: Score
    baselines: dict[str, float]
    labels: tuple[str, ...]
    unit: str
    notes: list[str]
    file: Path | None = None
    reading: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        values = asdict(self)
        flat = values.pop("score")
        return {"format": FORMAT, **values, **flat}


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
        model = load_model(model_file)
        result, levels = _score_split(model, data, split, config)
    (task,) = data.spec.tasks.values()
    evaluation = Evaluation(split, model_file, result, levels, task.labels, task.unit, notes)
    return _record(evaluation, run) if run else evaluation


def _check_same_data(data: Prepared, run: RunDir | None) -> list[str]:
    if run is None or same_data(data.fingerprint, run.record().get("data")):
        return []
    return ["the data is not what the run was trained on: its content or its split has changed"]


def _score_split(model: keras.Model, data: Prepared, split: str, config: Config) -> tuple[Score, dict[str, float]]:
    ((name, originals),) = data.original_targets.items()
    _check_inputs(model, data)
    units = data.spec.tasks[name].head.units
    shapes = [tuple(tensor.shape[1:]) for tensor in getattr(model, "outputs", None) or []]
    if shapes not in ([], [(units,)]):
        raise ConfigError(f"the model's output is {shapes}, the data wants {units} per sample")
    rows = data.splits[split]
    task = data.spec.tasks[name]
    outputs = outputs_as_predictions(predict_rows(model, Feeder.of(data), rows, BATCH_SIZE), task, config.loss)
    if name in data.target_scales:
        outputs = data.target_scales[name].invert(outputs)
    return score(outputs, originals[rows], task, config.seed), baselines(data, split, original_units=True)


def _check_inputs(model: keras.Model, data: Prepared) -> None:
    """Raise ConfigError when the model takes inputs of other shapes than the data gives."""
    if not getattr(model, "inputs", None):
        return
    wanted = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    given = [tuple(spec.shape) for spec in data.spec.inputs.values()]
    if wanted != given:
        raise ConfigError(f"the model takes inputs of shape {wanted}, the data gives {given}", key=("data",))


def _record(evaluation: Evaluation, run: RunDir) -> Evaluation:
    """Write the evaluation into the run; a reading of test is counted in `run.json`."""
    numbers = [int(path.name[:3]) for path in run.evaluations.glob("[0-9][0-9][0-9]-*")]
    number = max(numbers, default=0) + 1
    stem = f"{number:03d}-{evaluation.split}-{evaluation.model_file.stem}"
    file = run.evaluations / f"{stem}.json"
    reading = None
    if evaluation.split == "test":
        readings = run.record().get("test_readings", [])
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        reading = len(readings) + 1
        run.update(test_readings=[*readings, {"time": now, "model": evaluation.model_file.name, "file": file.name}])
    if evaluation.score.confusion:
        draw_confusion(evaluation.score.confusion, evaluation.labels, run.evaluations / f"{stem}.png")
    written = Evaluation(**{**vars(evaluation), "file": file, "reading": reading})
    write_json(file, written.as_dict())
    return written
