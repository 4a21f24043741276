"""Many steps of training or validation in one compiled JAX call."""

from __future__ import annotations

from typing import Any

import jax
import keras
import numpy as np

from dlrun.engine.feeding import Feeder

State = tuple[list[Any], ...]


class JaxSteps:
    """Runs `model.train_step` and `model.test_step` in `lax.fori_loop`.

    Between `begin` and `end` the state is the tuple of values that Keras' own JAX trainer passes on; `end` writes it
    into the model's variables.
    """

    def __init__(self, model: keras.Model, feeder: Feeder) -> None:
        self._model, self._feeder = model, feeder
        self._state: State = ()
        row = np.zeros(1, "int32")  # as Keras' own trainer does, so that no variable is made inside a compiled step
        model._symbolic_build(data_batch=feeder.batch(feeder.tensors, row))
        self._train = jax.jit(self._train_steps, donate_argnums=0)
        self._test = jax.jit(self._test_steps)

    def place(self, array: np.ndarray) -> Any:
        """An array of indices as what `train` and `test` take."""
        return jax.numpy.asarray(array)

    def _groups(self) -> tuple[list[Any], ...]:
        model = self._model
        optimizer = getattr(model, "optimizer", None)
        return (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables if optimizer is not None else [],
            model.metrics_variables,
        )

    def begin(self) -> None:
        """Take the state from the model's variables."""
        self._state = tuple([variable.value for variable in group] for group in self._groups())

    def end(self) -> None:
        """Write the state into the model's variables."""
        for group, values in zip(self._groups(), self._state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        self._state = ()

    def train(self, order: Any, seeds: Any, start: int, stop: int) -> dict[str, Any]:
        """Train on the batches `start` to `stop` of `order` `(steps, batch)`, int32; `seeds` are `(steps, 2)`, int32.

        Returns what the last step logs.
        """
        logs, self._state = self._train(self._state, self._feeder.tensors, order, seeds, start, stop)
        return dict(logs)

    def test(self, order: Any, start: int, stop: int) -> dict[str, Any]:
        """Evaluate on the batches `start` to `stop` of `order` `(steps, batch)`."""
        trainable, other, optimizer, metrics = self._state
        logs, (trainable, other, metrics) = self._test(
            (trainable, other, metrics), self._feeder.tensors, order, start, stop
        )
        self._state = (trainable, other, optimizer, metrics)
        return dict(logs)

    def _train_steps(self, state: Any, tensors: Any, order: Any, seeds: Any, start: Any, stop: Any) -> Any:
        def step(number: Any, carried: Any) -> Any:
            return self._model.train_step(carried[1], self._feeder.batch(tensors, order[number], seeds[number]))

        return _loop(step, state, start, stop)

    def _test_steps(self, state: Any, tensors: Any, order: Any, start: Any, stop: Any) -> Any:
        def step(number: Any, carried: Any) -> Any:
            return self._model.test_step(carried[1], self._feeder.batch(tensors, order[number]))

        return _loop(step, state, start, stop)


def _loop(step: Any, state: Any, start: Any, stop: Any) -> Any:
    """`(logs, state)` after the steps `start` to `stop`; the logs are those of the last one."""
    logs, _ = jax.eval_shape(lambda state: step(start, (None, state)), state)
    empty = jax.tree.map(lambda log: jax.numpy.zeros(log.shape, log.dtype), logs)
    return jax.lax.fori_loop(start, stop, step, (empty, state))
