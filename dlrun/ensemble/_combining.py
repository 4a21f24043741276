"""Predictions of several models as one, in plain numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlrun.engine.scoring import predicted_labels, true_labels
from dlrun.spec import Task

Combine = Literal["mean", "geometric", "exponential"]
_SMALLEST = 1e-7  # as keras.config.epsilon: the least probability in a crossentropy


def combine(stack: np.ndarray, weights: np.ndarray, how: Combine, task: Task) -> np.ndarray:
    """One prediction `(rows, units)` of those of all members `(members, rows, units)`.

    `geometric` averages logarithms, `exponential` exponentials of the probabilities (DLwP 7.3.3 names the latter);
    both are made to sum to 1 again. A sigmoid's output stands for two classes there. Numbers know the mean only.
    """
    if how == "mean" or not task.classifies:
        return np.tensordot(weights, stack, axes=1)
    if task.kind == "multiclass":
        found = _transformed(stack, weights, how)
        return np.asarray(found / found.sum(axis=-1, keepdims=True))
    yes, no = _transformed(stack, weights, how), _transformed(1 - stack, weights, how)
    return np.asarray(yes / (yes + no))


def _transformed(stack: np.ndarray, weights: np.ndarray, how: Combine) -> np.ndarray:
    if how == "geometric":
        return np.asarray(np.exp(np.tensordot(weights, np.log(np.clip(stack, _SMALLEST, 1)), axes=1)))
    return np.asarray(np.log(np.tensordot(weights, np.exp(stack), axes=1)))


def faults(outputs: np.ndarray, targets: np.ndarray, task: Task) -> np.ndarray:
    """How wrong each row is `(rows,)`: 0 or 1 (of several labels the share that is wrong), or the mean error."""
    if not task.classifies:
        return np.asarray(residuals(outputs, targets).mean(axis=1))
    wrong = predicted_labels(outputs, task) != true_labels(targets, task)
    return np.asarray(wrong.reshape(len(wrong), -1).mean(axis=1))


def residuals(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Absolute errors `(rows, outputs)` of numbers."""
    return np.asarray(np.abs(outputs - targets.reshape(len(targets), -1)))


def loss(outputs: np.ndarray, targets: np.ndarray, task: Task) -> float:
    """The mean crossentropy of probabilities, the mean squared error of numbers."""
    if not task.classifies:
        return float((residuals(outputs, targets) ** 2).mean())
    truth = true_labels(targets, task)
    if task.kind == "multiclass":
        likely = outputs[np.arange(len(truth)), truth]
    else:
        likely = np.where(truth.reshape(outputs.shape) == 1, outputs, 1 - outputs)
    return float(-np.log(np.clip(likely, _SMALLEST, 1)).mean())


def disagreement(first: np.ndarray, second: np.ndarray, task: Task) -> float | None:
    """The share of labels that two members predict differently; None for numbers."""
    if not task.classifies:
        return None
    return float((predicted_labels(first, task) != predicted_labels(second, task)).mean())


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson's correlation of the faults of two members; None where one of them has always the same."""
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
