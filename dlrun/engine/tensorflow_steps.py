"""Many steps of training or validation in one compiled TensorFlow call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlrun.engine.feeding import Feeder

_KERAS_STEPS = {name: getattr(keras.Model, name) for name in ("train_step", "test_step", "compute_metrics")}


class TensorFlowSteps:
    """Runs `model.train_step` and `model.test_step` in loops inside the graph; the state lies in the variables."""

    def __init__(self, model: keras.Model, feeder: Feeder, *, jit_compile: bool) -> None:
        self._model, self._feeder = model, feeder
        self._tensors = feeder.tensors  # made here, outside of any graph
        self._train = _compiled(self._train_steps, jit_compile)
        self._test = _compiled(self._test_steps, jit_compile)

    def place(self, array: np.ndarray) -> Any:
        """An array of indices as what `train` and `test` take."""
        return tf.constant(array)

    def train(self, order: Any, seeds: Any, start: int, stop: int) -> dict[str, Any]:
        """Train on the batches `start` to `stop` of `order` `(steps, batch)`, int32; `seeds` are `(steps, 2)`, int32.

        Returns what the last step logs.
        """
        return dict(self._train(order, seeds, tf.constant(start), tf.constant(stop)))

    def test(self, order: Any, start: int, stop: int) -> dict[str, Any]:
        """Evaluate on the batches `start` to `stop` of `order` `(steps, batch)`."""
        return dict(self._test(order, tf.constant(start), tf.constant(stop)))

    def _train_steps(self, order: Any, seeds: Any, start: Any, stop: Any) -> Any:
        def batch(step: Any) -> Any:
            return self._feeder.batch(self._tensors, order[step], seeds[step])

        return self._loop("train_step", batch, start, stop)

    def _test_steps(self, order: Any, start: Any, stop: Any) -> Any:
        return self._loop("test_step", lambda step: self._feeder.batch(self._tensors, order[step]), start, stop)

    def _loop(self, name: str, batch: Callable[[Any], Any], start: Any, stop: Any) -> Any:
        step_function = getattr(self._model, name)

        def body(step: Any) -> Any:
            step_function(batch(step))
            return step + 1

        kind = type(self._model)
        if all(getattr(kind, one) is _KERAS_STEPS[one] for one in (name, "compute_metrics")):  # it logs the metrics
            tf.while_loop(lambda step: step < stop, body, [start], parallel_iterations=1)
            return self._model.get_metrics_result()
        tf.while_loop(lambda step: step < stop - 1, body, [start], parallel_iterations=1)
        return step_function(batch(stop - 1))


def _compiled(function: Callable[..., Any], jit_compile: bool) -> Callable[..., Any]:
    """The function as a graph, through XLA if asked; but never for a single batch, such as the partial last one of an
    epoch: another shape is compiled anew, which takes longer than such a step can save.
    """
    graph = tf.function(function, autograph=False)
    if not jit_compile:
        return graph
    fast = tf.function(function, autograph=False, jit_compile=True)
    return lambda order, *arguments: (fast if len(order) > 1 else graph)(order, *arguments)
