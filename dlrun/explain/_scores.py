"""The number that is explained: the logit or probability of a class, or what a regression predicts."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import numpy as np

from dlrun.engine.layers import without_activation
from dlrun.engine.scoring import gives_logits, outputs_as_predictions, outputs_by_task, predicted_labels
from dlrun.errors import ConfigError, UnknownNameError, did_you_mean, listing
from dlrun.spec import Task

SQUASHING = ("softmax", "sigmoid")


class Scorer:
    """Reads one task's output of a model, as it is or before its last activation.

    `target` is `logit` or `probability`. `note` says when the wish cannot be granted.
    """

    def __init__(self, model: keras.Model, name: str, task: Task, loss: object, target: str) -> None:
        self.model, self.name, self.task, self.loss = model, name, task, loss
        self.note = ""
        self._gives_logits, self._squashing = gives_logits(loss), None
        self._as_probability = target == "probability"
        if task.classifies and not self._gives_logits and not self._as_probability:
            tensors = outputs_by_task(model, {name: task}) or {}
            self._squashing = _squashing_layer(tensors.get(name, next(iter(tensors.values()), None)))
            if self._squashing is None:
                self.note = "the last layer has no softmax or sigmoid of its own, so that probabilities are explained"

    def outputs(self, inputs: Any) -> Any:
        """`(batch, units)`: logits or probabilities, in the graph of a backend."""
        with without_activation(self._squashing) if self._squashing is not None else contextlib.nullcontext():
            found = self.model(inputs, training=False)
        found = found[self.name] if isinstance(found, dict) else found
        if self._as_probability and self._gives_logits and self.task.classifies:
            return (keras.ops.softmax if self.task.kind == "multiclass" else keras.ops.sigmoid)(found)
        return found

    def score(self, outputs: Any, weights: Any) -> Any:
        """The sum over a batch of what `class_weights` asks for; rows do not depend on each other."""
        return keras.ops.sum(keras.ops.cast(outputs, "float32") * weights)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The model's own outputs `(batch, units)` as what a reader wants; numbers as they are."""
        return outputs_as_predictions(outputs, self.task, self.loss)

    def class_weights(self, classes: np.ndarray) -> np.ndarray:
        """`(batch, units)` float32: a one for the class `(batch,)` of each row; with one unit for two classes, 1 for
        the second and -1 for the first.
        """
        if self.task.kind == "binary":
            return np.where(classes[:, None] == 1, 1.0, -1.0).astype("float32")
        units = self.task.head.units
        return np.eye(units, dtype="float32")[classes]


def chosen_classes(task: Task, probabilities: np.ndarray, name: str | None) -> np.ndarray:
    """Which class of each row `(rows,)` is explained: the one named, else what is predicted, of several labels the
    likeliest; of numbers the first. Raises UnknownNameError for a class the task has not.
    """
    if name is not None:
        if not task.classifies:
            raise ConfigError("the run predicts numbers, not classes", hint="leave out --class")
        if name not in task.labels:
            hint = did_you_mean(name, task.labels)
            raise UnknownNameError(f"there is no class {name!r}", expected=listing(task.labels, 30), hint=hint)
        return np.full(len(probabilities), task.labels.index(name))
    if task.kind in ("multilabel", "regression"):
        return np.asarray(probabilities.argmax(axis=1) if task.classifies else np.zeros(len(probabilities), int))
    return predicted_labels(probabilities, task)


def class_shares(task: Task, probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The probability `(rows,)` of these classes `(rows,)`; of numbers the numbers themselves."""
    if task.kind == "binary":
        return np.where(classes == 1, probabilities[:, 0], 1 - probabilities[:, 0])
    return np.asarray(probabilities[np.arange(len(classes)), classes])


def _squashing_layer(tensor: Any) -> Any:
    """The operation that makes probabilities of logits, the last one before an output; None when it cannot be found."""
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    operation = history.operation
    if isinstance(operation, keras.Model):
        return _squashing_layer((operation.outputs or [None])[history.tensor_index])
    named = getattr(getattr(operation, "activation", None), "__name__", type(operation).__name__.lower())
    return operation if named in SQUASHING else None
