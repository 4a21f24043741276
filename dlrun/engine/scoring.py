"""How good a model is: predictions and metrics with confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from dlrun.data._dataset import TargetScale
from dlrun.engine.feeding import Feeder
from dlrun.engine.pipelines import batches_in_order
from dlrun.errors import ConfigError, listing
from dlrun.seeds import child_seed
from dlrun.spec import DataSpec, Task

BATCH_SIZE = 512  # rows per prediction step
RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Score:
    """Metrics of predictions, each with the bounds of its bootstrap interval where a sample has a value of its own.

    Metrics are in original units. `per_class` is for labels, `confusion` (rows: true, columns: predicted) for those
    that exclude each other. The accuracy of several labels is the share of right ones among all labels of all rows.
    """

    rows: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    per_class: list[dict[str, Any]] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)


def predict_rows(
    model: keras.Model, feeder: Feeder, rows: np.ndarray, batch_size: int, tasks: Mapping[str, Task]
) -> dict[str, np.ndarray]:
    """The model's outputs `(rows, units)` for these rows, by task. Raises ConfigError when they are others."""
    return by_task(model.predict(batches_in_order(feeder, rows, batch_size, "inputs"), verbose=0), tasks)


def by_task(found: Any, tasks: Mapping[str, Task]) -> dict[str, np.ndarray]:
    """What `model.predict` gives, by task. Raises ConfigError when the model has other outputs."""
    if len(tasks) <= 1 and not isinstance(found, dict | list):
        return {next(iter(tasks), ""): np.asarray(found)}
    if not isinstance(found, dict) or (tasks and found.keys() != tasks.keys()):
        what = f"outputs named {listing(found)}" if isinstance(found, dict) else "other outputs"
        raise ConfigError(f"the model gives {what}, the data has the tasks {listing(tasks)}", key=("model",))
    return {name: np.asarray(found[name]) for name in tasks or found}


def outputs_by_task(model: keras.Model, tasks: Mapping[str, Task]) -> dict[str, Any] | None:
    """The output tensors of a model by task, by whatever names it has if they are others; None before it is called."""
    tensors = getattr(model, "outputs", None)
    if not tensors:
        return None
    if len(tensors) == 1:
        return {next(iter(tasks), ""): tensors[0]}
    return model.output if isinstance(model.output, dict) else {f"output {n}": t for n, t in enumerate(tensors, 1)}


def in_units_of_targets(
    outputs: Mapping[str, np.ndarray], spec: DataSpec, scales: Mapping[str, TargetScale], losses: Mapping[str, object]
) -> dict[str, np.ndarray]:
    """Outputs by task as a reader wants them: probabilities where the model gives logits, numbers in original units."""
    found = {name: outputs_as_predictions(outputs[name], task, losses[name]) for name, task in spec.tasks.items()}
    return {name: scales[name].invert(values) if name in scales else values for name, values in found.items()}


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
    return _score_classes(outputs, targets, task, seed)


def _score_classes(outputs: np.ndarray, targets: np.ndarray, task: Task, seed: int) -> Score:
    from sklearn import metrics as sklearn_metrics  # here: training does without, and it takes a second to import

    truth, guess = true_labels(targets, task), predicted_labels(outputs, task)
    correct = (truth == guess).reshape(len(truth), -1).mean(axis=1)
    values = {"accuracy": float(correct.mean())}
    if task.kind == "binary" and 0 < truth.mean() < 1:
        values["roc_auc"] = float(sklearn_metrics.roc_auc_score(truth, outputs[:, 0]))
    average = "binary" if task.kind == "binary" else "macro"
    values["f1"] = float(sklearn_metrics.f1_score(truth, guess, average=average, zero_division=0))
    intervals = {"accuracy": bootstrap_interval(correct, seed)}
    if task.kind == "multilabel":
        exact = (truth == guess).all(axis=1)
        values["exact_match"] = float(exact.mean())
        intervals["exact_match"] = bootstrap_interval(exact, seed)
        return Score(len(truth), values, intervals, _per_class(truth, guess, task))
    indices = list(range(len(task.labels)))
    confusion = sklearn_metrics.confusion_matrix(truth, guess, labels=indices)
    return Score(len(truth), values, intervals, _per_class(truth, guess, task), confusion.tolist())


def _per_class(truth: np.ndarray, guess: np.ndarray, task: Task) -> list[dict[str, Any]]:
    from sklearn import metrics as sklearn_metrics

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
