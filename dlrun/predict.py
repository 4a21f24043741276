"""Predictions for the user's raw inputs, or for a split of the run's data; preprocessing comes from the run."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.schema import Config
from dlrun.data._memory import named_files
from dlrun.data._saved import Saved, load_preprocessing
from dlrun.engine.feeding import Feeder
from dlrun.engine.model_files import load_predictor
from dlrun.engine.resolve import load_data, open_session
from dlrun.engine.scoring import BATCH_SIZE, in_units_of_targets, predict_rows, predicted_labels
from dlrun.errors import DataError
from dlrun.files import make_folder
from dlrun.run_dir import RunDir
from dlrun.spec import Task


@dataclass(frozen=True)
class Predictions:
    """One row per input: what it was, and what the model says. `file` is the CSV with all of them."""

    columns: list[str]
    rows: list[dict[str, Any]]
    file: Path


def predict(
    run: RunDir,
    config: Config,
    sources: Sequence[str] = (),
    *,
    values: Any = None,
    weights: str = "best",
    split: str = "test",
) -> Predictions:
    """Predict raw inputs (`sources` are files, or `-` for standard input; `values` are rows in memory, or files), or
    without either the rows of a split.

    Targets are never shown, so that predicting the test part is not a reading of it. Writes a CSV into the run.
    Raises DlrunError.
    """
    make_folder(run.predictions)  # before the work, not after it
    with open_session(config):
        saved = load_preprocessing(run.preprocess)
        if sources or values is not None:
            feeder, rows, texts = raw_rows(saved, sources, values)
        else:
            feeder, rows, texts = _split_rows(config, split, saved)
        tasks = saved.spec.tasks
        outputs = predict_rows(load_predictor(run.model_file(weights)), feeder, rows, BATCH_SIZE, tasks)
    losses = {name: config.output(name).loss for name in tasks}
    outputs = in_units_of_targets(outputs, saved.spec, saved.target_scales, losses)
    return write_predictions(run.predictions, outputs, tasks, texts)


def raw_rows(saved: Saved, sources: Sequence[str], values: Any) -> tuple[Feeder, np.ndarray, list[str]]:
    """The user's raw rows as a run prepares them: a feeder, their numbers, and a short text for each."""
    files = list(sources) or named_files(values, texts=saved.encoder.texts)
    raw = saved.encoder.read_values(values) if files is None else saved.encoder.read(files)
    rows = np.arange(saved.encoder.row_count(raw))
    if not len(rows):
        raise DataError("there are no rows to predict")
    texts = [saved.encoder.describe(raw, row) for row in rows.tolist()]
    return Feeder(saved.encoder, saved.encoder.apply(raw)), rows, texts


def _split_rows(config: Config, split: str, saved: Saved) -> tuple[Feeder, np.ndarray, list[str]]:
    data = load_data(config, saved)
    if split not in data.splits:
        raise DataError(f"the data has no {split} part", expected=", ".join(data.splits))
    rows: np.ndarray = data.splits[split]
    return Feeder.of(data), rows, [f"row {row + 1}" for row in rows.tolist()]


def write_predictions(
    folder: Path, outputs: dict[str, np.ndarray], tasks: dict[str, Task], texts: list[str]
) -> Predictions:
    """Outputs in original units as a table, also as a CSV in `folder`; `texts` say what each row was."""
    columns, rows = ["input"], [dict[str, Any](input=text) for text in texts]
    for name, task in tasks.items():
        shown = name if len(tasks) > 1 else ""
        columns += _columns(task, shown)
        for row, found in zip(rows, prediction_values(outputs[name], task, shown), strict=True):
            row.update(found)
    file = folder / f"{datetime.now():%Y%m%d-%H%M%S-%f}.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return Predictions(columns, rows, file)


def _columns(task: Task, name: str) -> list[str]:
    """`prediction` and `probability` for the only output (`name` is empty), else `age` and `age_probability`."""
    prediction, probability = name or "prediction", f"{name}_probability" if name else "probability"
    if task.kind == "regression":
        count = task.outputs
        return [prediction] if count == 1 else [f"{prediction}_{number}" for number in range(1, count + 1)]
    if task.kind == "multilabel":
        return [prediction, *(f"{probability}_{label}" for label in task.labels)]
    return [prediction, probability]


def prediction_values(outputs: np.ndarray, task: Task, name: str = "") -> list[dict[str, Any]]:
    """Outputs `(rows, units)` as what a reader wants: a label with its probability, all labels above 0.5 with the
    probability of each where there may be several, or numbers in original units. `name` is empty for the only output.
    """
    columns = _columns(task, name)
    if task.kind == "regression":
        return [dict(zip(columns, map(float, row), strict=True)) for row in outputs]
    labels = predicted_labels(outputs, task)
    if task.kind == "multilabel":
        texts = [chosen_labels(row, task) for row in labels]
        numbers = [[round(float(p), 6) for p in row] for row in outputs]
        return [dict(zip(columns, [text, *row], strict=True)) for text, row in zip(texts, numbers, strict=True)]
    likely = np.where(labels == 1, outputs[:, 0], 1 - outputs[:, 0]) if task.kind == "binary" else outputs.max(axis=1)
    return [
        dict(zip(columns, (task.labels[label], round(float(p), 6)), strict=True))
        for label, p in zip(labels.tolist(), likely.tolist(), strict=True)
    ]


def chosen_labels(flags: np.ndarray, task: Task) -> str:
    """The labels `(labels,)` that are 1, such as `comedy + drama`; empty when there is none."""
    return " + ".join(label for label, has in zip(task.labels, flags.tolist(), strict=True) if has)
