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
from dlrun.engine.resolve import load_data, open_session
from dlrun.engine.saving import load_model
from dlrun.engine.scoring import BATCH_SIZE, outputs_as_predictions, predict_rows, predicted_labels
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
            feeder, rows, texts = _raw_rows(saved, sources, values)
        else:
            feeder, rows, texts = _split_rows(config, split, saved)
        outputs = predict_rows(load_model(run.model_file(weights)), feeder, rows, BATCH_SIZE)
    ((name, task),) = saved.spec.tasks.items()
    outputs = outputs_as_predictions(outputs, task, config.loss)
    if name in saved.target_scales:
        outputs = saved.target_scales[name].invert(outputs)
    return _write(run, outputs, task, texts)


def _raw_rows(saved: Saved, sources: Sequence[str], values: Any) -> tuple[Feeder, np.ndarray, list[str]]:
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


def _write(run: RunDir, outputs: np.ndarray, task: Task, texts: list[str]) -> Predictions:
    columns = ["input", *_columns(task)]
    rows = [{"input": text, **values} for text, values in zip(texts, prediction_values(outputs, task), strict=True)]
    file = run.predictions / f"{datetime.now():%Y%m%d-%H%M%S-%f}.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return Predictions(columns, rows, file)


def _columns(task: Task) -> list[str]:
    if task.kind == "regression":
        return ["prediction"] if task.outputs == 1 else [f"prediction_{n}" for n in range(1, task.outputs + 1)]
    return ["prediction", "probability"] if task.kind != "multilabel" else list(task.labels)


def prediction_values(outputs: np.ndarray, task: Task) -> list[dict[str, Any]]:
    """Outputs `(rows, units)` as what a reader wants: a label with its probability, or numbers in original units."""
    if task.kind in ("regression", "multilabel"):
        return [dict(zip(_columns(task), map(float, row), strict=True)) for row in outputs]
    labels = predicted_labels(outputs, task)
    chosen = np.where(labels == 1, outputs[:, 0], 1 - outputs[:, 0]) if task.kind == "binary" else outputs.max(axis=1)
    return [
        {"prediction": task.labels[label], "probability": round(float(p), 6)}
        for label, p in zip(labels.tolist(), chosen.tolist(), strict=True)
    ]
