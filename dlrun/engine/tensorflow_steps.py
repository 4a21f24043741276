"""Many steps of training or validation in one compiled TensorFlow call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlrun.engine.feeding import Feeder
from dlrun.engine.losses import losses_are_finite

_KERAS_STEPS = {name: getattr(keras.Model, name) for name in ("train_step", "test_step", "compute_metrics")}


class TensorFlowSteps:
    """Runs `model.train_step` and `model.test_step` in loops inside the graph; the state lies in the variables."""

    def __init__(self, model: keras.Model, feeder: Feeder, *, jit_compile: bool) -> None:
        self._model, self._feeder = model, feeder
        self._tensors = feeder.tensors  # made here, outside of any graph
        self._train = _compiled(self._train_steps, jit_compile)
        self._test = _compiled(self._test_steps, jit_compile)
        self._reset: Callable[[], None] | None = None

    def place(self, array: np.ndarray) -> Any:
        """An array of indices as what `train` and `test` take."""
        return tf.constant(array)

    def train(self, order: Any, seeds: Any, start: int, stop: int, spare: int = 0) -> tuple[int, dict[str, Any]]:
        """Train on the batches `start` to `stop` of `order` `(steps, batch)`, int32; `seeds` are `(steps, 2)`, int32.

        A step whose loss is not finite is the last one. Returns the batch to go on with, and what the last step logs.
        """
        done, logs = self._train(order, seeds, tf.constant(start), tf.constant(stop))
        return int(done), dict(logs)

    def test(self, order: Any, start: int, stop: int) -> dict[str, Any]:
        """Evaluate on the batches `start` to `stop` of `order` `(steps, batch)`."""
        return dict(self._test(order, tf.constant(start), tf.constant(stop))[1])

    def validated(self) -> dict[str, Any] | None:
        """What validation in the last call of `train` logs; None, for there is none in it."""
        return None

    def reset_metrics(self) -> None:
        """Reset the model's metrics, whose variables are made, in one call: one by one they take half a millisecond.

        What a metric or model of the user's own does then may be more than a graph can repeat.
        """
        if self._reset is None:
            plain = self._model.reset_metrics
            self._reset = tf.function(plain, autograph=False) if _resets_as_keras(self._model) else plain
        self._reset()

    def _train_steps(self, order: Any, seeds: Any, start: Any, stop: Any) -> Any:
        def batch(step: Any) -> Any:
            return self._feeder.batch(self._tensors, order[step], seeds[step])

        return self._loop("train_step", batch, start, stop)

    def _test_steps(self, order: Any, start: Any, stop: Any) -> Any:
        return self._loop("test_step", lambda step: self._feeder.batch(self._tensors, order[step]), start, stop)

    def _loop(self, name: str, batch: Callable[[Any], Any], start: Any, stop: Any) -> Any:
        step_function, kind = getattr(self._model, name), type(self._model)
        if any(getattr(kind, one) is not _KERAS_STEPS[one] for one in (name, "compute_metrics")):
            finite = losses_are_finite if name == "train_step" else _always
            return _logging_loop(lambda step: step_function(batch(step)), finite, start, stop)
        finite = _loss_is_finite(self._model) if name == "train_step" else _always

        def body(step: Any) -> Any:
            step_function(batch(step))
            return step + 1

        def goes_on(step: Any) -> Any:
            return tf.logical_and(step < stop, finite())

        (done,) = tf.while_loop(goes_on, body, [start], parallel_iterations=1)
        return done, self._model.get_metrics_result()  # which is what Keras' own steps log


class JoinedSteps(TensorFlowSteps):
    """Training, the validation that follows and the resets of metrics before each, in one compiled call, where an epoch
    is so short that several calls would take longer than its steps.

    `steps` are those of training, `validation` the rows of its batches `(steps, batch)`. For models and metrics of
    Keras' own (`can_join`).
    """

    def __init__(
        self, model: keras.Model, feeder: Feeder, steps: int, validation: np.ndarray, *, jit_compile: bool
    ) -> None:
        super().__init__(model, feeder, jit_compile=jit_compile)
        model._symbolic_build(data_batch=feeder.batch(self._tensors, np.zeros(1, "int32")))  # else it is traced twice
        self._no_training = (
            self.place(np.zeros((steps, validation.shape[1]), "int32")),
            self.place(np.zeros((steps, 2), "int32")),
        )
        self._validation = self.place(validation.astype("int32"))
        self._jit_compile = jit_compile and steps > 1  # as in `_compiled`
        self._joined: Callable[..., Any] | None = None
        self._found: dict[str, Any] | None = None

    def train(self, order: Any, seeds: Any, start: int, stop: int, spare: int = 0) -> tuple[int, dict[str, Any]]:
        """As of TensorFlowSteps. With the last batch of the epoch, and `spare` steps enough, validation follows."""
        count = len(self._validation)
        follows = stop == len(order) and count <= spare
        done, logs, found = self._call(order, seeds, (start, stop), (0, count if follows else 0))
        self._found = found if follows and done == stop else None
        return done, logs

    def validated(self) -> dict[str, Any] | None:
        """What validation in the last call of `train` logs; None when there was none in it."""
        found, self._found = self._found, None
        return found

    def test(self, order: Any, start: int, stop: int) -> dict[str, Any]:
        """As of TensorFlowSteps, by the same compiled call; `order` is that of `validation`."""
        return self._call(*self._no_training, (0, 0), (start, stop))[2]

    def reset_metrics(self) -> None:
        """Nothing: the call that begins training or validation does it."""

    def _call(
        self, order: Any, seeds: Any, train: tuple[int, int], test: tuple[int, int]
    ) -> tuple[int, dict[str, Any], dict[str, Any]]:
        arguments = (order, seeds, self._validation, tf.constant([*train, *test], "int32"))
        if self._joined is None:  # not before callbacks have begun, which may change the model
            graph = tf.function(self._joined_steps, autograph=False, jit_compile=self._jit_compile or None)
            self._joined = graph.get_concrete_function(*arguments)
        done, logs, found = self._joined(*arguments)
        return int(done), dict(logs), dict(found)

    def _joined_steps(self, order: Any, seeds: Any, validation: Any, numbers: Any) -> Any:
        start, stop, first, last = tf.unstack(numbers)
        self._reset_where(tf.logical_and(start == 0, stop > 0))
        done, logs = self._train_steps(order, seeds, start, stop)
        last = tf.where(done == stop, last, 0)
        self._reset_where(tf.logical_and(first == 0, last > 0))
        _, found = self._test_steps(validation, first, last)
        return done, logs, found

    def _reset_where(self, condition: Any) -> None:
        """Reset the metrics if so: each of their variables keeps its value or becomes what its reset makes it."""
        tf.cond(condition, lambda: (self._model.reset_metrics(), tf.constant(0))[1], lambda: tf.constant(0))


def can_join(model: keras.Model) -> bool:
    """Whether nothing of the user's own happens in or between the steps of the model and the resets of its metrics."""
    kinds_own = all(getattr(type(model), name) is step for name, step in _KERAS_STEPS.items())
    return kinds_own and _resets_as_keras(model)


def _logging_loop(step_function: Callable[[Any], Any], finite: Callable[[Any], Any], start: Any, stop: Any) -> Any:
    """Steps of the user's own, which may log anything."""

    def body(step: Any, _logs: Any) -> Any:
        return step + 1, step_function(step)

    def goes_on(step: Any, logs: Any) -> Any:
        return tf.logical_and(step < stop, finite(logs))

    return tf.while_loop(goes_on, body, [start + 1, step_function(start)], parallel_iterations=1)


def _resets_as_keras(model: keras.Model) -> bool:
    """Whether the metrics, those of `compile` among them, are reset by Keras' own code."""
    metrics = [inner for metric in model.metrics for inner in getattr(metric, "metrics", [metric])]
    resets = [type(model).reset_metrics, *(type(metric).reset_state for metric in metrics)]
    return all(reset.__module__.startswith("keras.") for reset in resets)


def _always(*_logs: Any) -> bool:
    return True


def _loss_is_finite(model: keras.Model) -> Callable[[], Any]:
    """Looks at the sum of the losses of an epoch: once one is not finite, the sum stays so."""
    sums = [
        metric.total for metric in model.metrics if metric.name == "loss" and isinstance(metric, keras.metrics.Mean)
    ]
    if not sums:
        return _always
    return lambda: functools.reduce(tf.logical_and, [tf.math.is_finite(one.value) for one in sums])


def _compiled(function: Callable[..., Any], jit_compile: bool) -> Callable[..., Any]:
    """The function as a graph, through XLA if asked; but never for a single batch, such as the partial last one of an
    epoch: another shape is compiled anew, which takes longer than such a step can save.
    """
    graph = tf.function(function, autograph=False)
    if not jit_compile:
        return graph
    fast = tf.function(function, autograph=False, jit_compile=True)
    return lambda order, *arguments: (fast if len(order) > 1 else graph)(order, *arguments)
