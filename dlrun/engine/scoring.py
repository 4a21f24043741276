"""How good a model is: predictions, metrics with confidence intervals, and what a model must beat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from sklearn import metrics as sklearn_metrics

from dlrun.data._dataset import Prepared
from dlrun.engine.feeding import Feeder
from dlrun.seeds import child_seed
from dlrun.spec import Task

BATCH_SIZE = 512  # rows per prediction step
RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Score:
    """Metrics of predictions, each with the bounds of its bootstrap interval where a sample has a value of its own.

    Metrics are in original units. `per_class` and `confusion` (rows: true, columns: predicted) for classes only.
    """

    rows: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    per_class: list[dict[str, Any]] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)


def predict_rows(model: keras.Model, feeder: Feeder, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """The model's outputs `(rows, units)` for these rows."""
    return np.asarray(model.predict(feeder.in_order(rows, batch_size, targets=False), verbose=0))


def gives_logits(loss: object) -> bool:
    """Whether the loss of a config says `from_logits`, i.e. the model's outputs are not yet probabilities."""
    return isinstance(loss, dict) and any((arguments or {}).get("from_logits") is True for arguments in loss.values())


def outputs_as_predictions(outputs: np.ndarray, task: Task, loss: object) -> np.ndarray:
    """Outputs `(rows, units)` as probabilities where the model gives logits; else as they are."""
    if not task.classifies or not gives_logits(loss):
        return outputs
    activation = keras.ops.softmax if task.kind == "multiclass" else keras.ops.sigmoid
    return keras.ops.convert_to_numpy(activation(outputs))


def predicted_labels(outputs: np.ndarray, task: Task) -> np.ndarray:
    """Class indices `(rows,)` from outputs `(rows, units)`; multi-label: rows of 0 and 1. Threshold 0.5 (DLwP 3.4)."""
    if task.kind == "binary":
        return (outputs[:, 0] > 0.5).astype(int)
    if task.kind == "multilabel":
        return (outputs > 0.5).astype(int)
    return np.asarray(outputs.argmax(axis=1))


def true_labels(targets: np.ndarray, task: Task) -> np.ndarray:
    """Targets in the form of `predicted_labels`."""
    if task.kind == "multiclass" and targets.size > len(targets):  # one-hot rows
        return np.asarray(targets.argmax(axis=1))
    return targets.astype(int) if task.kind == "multilabel" else targets.reshape(-1).astype(int)


def score(outputs: np.ndarray, targets: np.ndarray, task: Task, seed: int) -> Score:
    """Metrics of outputs `(rows, units)` against targets, both in original units."""
    if task.kind == "regression":
        return _score_numbers(outputs, targets.reshape(len(targets), -1), seed)
    truth, guess = true_labels(targets, task), predicted_labels(outputs, task)
    correct = (truth == guess).reshape(len(truth), -1).mean(axis=1)
    values = {"accuracy": float(correct.mean())}
    if task.kind == "binary" and 0 < truth.mean() < 1:
        values["roc_auc"] = float(sklearn_metrics.roc_auc_score(truth, outputs[:, 0]))
    average = "binary" if task.kind == "binary" else "macro"
    values["f1"] = float(sklearn_metrics.f1_score(truth, guess, average=average, zero_division=0))
    intervals = {"accuracy": bootstrap_interval(correct, seed)}
    if task.kind == "multilabel":
        return Score(len(truth), values, intervals)
    indices = list(range(len(task.labels)))
    confusion = sklearn_metrics.confusion_matrix(truth, guess, labels=indices)
    return Score(len(truth), values, intervals, _per_class(truth, guess, task), confusion.tolist())


def _per_class(truth: np.ndarray, guess: np.ndarray, task: Task) -> list[dict[str, Any]]:
    table = sklearn_metrics.precision_recall_fscore_support(
        truth, guess, labels=list(range(len(task.labels))), zero_division=0
    )
    return [
        {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
        for label, p, r, f, n in zip(task.labels, *table, strict=True)
    ]


def _score_numbers(outputs: np.ndarray, targets: np.ndarray, seed: int) -> Score:
    error = np.abs(outputs - targets).mean(axis=1)
    squared = ((outputs - targets) ** 2).mean(axis=1)
    spread = ((targets - targets.mean(axis=0)) ** 2).mean()
    values = {"mae": float(error.mean()), "mse": float(squared.mean()), "rmse": float(np.sqrt(squared.mean()))}
    if spread > 0:
        values["r2"] = float(1 - squared.mean() / spread)
    low, high = bootstrap_interval(squared, seed)
    intervals = {
        "mae": bootstrap_interval(error, seed),
        "mse": (low, high),
        "rmse": (float(np.sqrt(low)), float(np.sqrt(high))),
    }
    return Score(len(targets), values, intervals)


def bootstrap_interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of per-sample values `(rows,)`: 1,000 resamples, 95 %.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    generator = np.random.default_rng(child_seed(seed, "bootstrap"))
    rows = len(values)
    means = np.array([values[generator.integers(0, rows, rows)].mean() for _ in range(RESAMPLES)])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def baselines(data: Prepared, split: str, *, original_units: bool = False) -> dict[str, float]:
    """What knowing nothing of the inputs scores on a split: the most frequent training class, or the mean and median
    of the training targets. For a series it is the naive forecast: the last known value goes on (DLwP 6.3.3).

    Keys are metric names. Values are in the model's units, to stand beside what Keras logs, or in the original ones.
    Empty unless the data has exactly one task.
    """
    if len(data.targets) != 1:
        return {}
    ((name, targets),) = (data.original_targets if original_units else data.targets).items()
    task = data.spec.tasks[name]
    training, other = targets[data.splits["training"]], targets[data.splits[split]]
    if task.kind == "regression":
        mean, median = training.mean(axis=0), np.median(training, axis=0)
        if name in data.persistence:
            mean = median = _persistence(data, name, split, original_units)
        mse = float(((other - mean) ** 2).mean())
        return {"mae": float(np.abs(other - median).mean()), "mse": mse, "rmse": float(np.sqrt(mse))}
    if task.kind == "multilabel":
        return {"accuracy": float((other == (training.mean(axis=0) > 0.5)).mean())}
    truth, guesses = true_labels(other, task), true_labels(training, task)
    shares = np.bincount(guesses, minlength=len(task.labels)) / len(guesses)
    known = np.clip(shares[truth], 1e-7, 1)
    return {"accuracy": float((truth == shares.argmax()).mean()), "crossentropy": float(-np.log(known).mean())}


def _persistence(data: Prepared, task: str, split: str, original_units: bool) -> np.ndarray:
    """The last known value of the target for the rows of a split, in the units of the targets it stands beside."""
    known = data.persistence[task][data.splits[split]]
    scaled = task in data.target_scales and not original_units
    return data.target_scales[task].apply(known) if scaled else known


def baseline_for(metric: str, loss: object, table: dict[str, float]) -> float | None:
    """The baseline that belongs to a logged metric such as `val_accuracy` or `val_loss`, or None."""
    name = metric.removeprefix("val_")
    aliases = {"acc": "accuracy", "binary_accuracy": "accuracy", "sparse_categorical_accuracy": "accuracy"}
    aliases |= {"categorical_accuracy": "accuracy", "mean_absolute_error": "mae", "mean_squared_error": "mse"}
    aliases |= {"root_mean_squared_error": "rmse"}
    if name == "loss" and isinstance(loss, str):
        name = "crossentropy" if loss.endswith("crossentropy") else loss
    return table.get(name, table.get(aliases.get(name, "")))
