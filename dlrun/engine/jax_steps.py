"""Many steps of training or validation in one compiled JAX call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np

from dlrun.engine.feeding import Feeder
from dlrun.engine.losses import losses_are_finite
from dlrun.engine.session import computes_on_gpu
from dlrun.engine.variables import optimizers

Groups = tuple[list[Any], ...]  # variables: trainable, other, of the optimizer, of metrics
Step = Callable[[Any, Any, Any, Any, Any], Any]  # (state, tensors, order, seeds, number of the step) -> (logs, state)


class JaxSteps:
    """Runs `model.train_step` and `model.test_step` in `lax.fori_loop`, or call by call where that is faster.

    The state is passed on as the tuple of values that Keras' own JAX trainer passes on, and written into the model's
    variables after each call, so that whoever looks at them between two calls sees it.
    """

    def __init__(self, model: keras.Model, feeder: Feeder) -> None:
        self._model, self._feeder = model, feeder
        row = np.zeros(1, "int32")  # as Keras' own trainer does, so that no variable is made inside a compiled step
        model._symbolic_build(data_batch=feeder.batch(feeder.tensors, row))
        many = _one_call if loops_well(model) else _call_by_call
        self._train = many(self._train_step, losses_are_finite, donate_argnums=0)
        self._test = many(self._test_step, lambda logs: True)

    def place(self, array: np.ndarray) -> Any:
        """An array of indices as what `train` and `test` take."""
        return jax.numpy.asarray(array)

    def train(self, order: Any, seeds: Any, start: int, stop: int, spare: int = 0) -> tuple[int, dict[str, Any]]:
        """Train on the batches `start` to `stop` of `order` `(steps, batch)`, int32; `seeds` are `(steps, 2)`, int32.

        A step whose loss is not finite is the last one. Returns the batch to go on with, and what the last step logs.
        """
        model = self._model
        trainable, other = model.trainable_variables, model.non_trainable_variables
        of_optimizers = [variable for one in optimizers(model) for variable in one.variables]
        groups = (trainable, other, of_optimizers, model.metrics_variables)
        return self._run(self._train, groups, order, seeds, start, stop)

    def test(self, order: Any, start: int, stop: int) -> dict[str, Any]:
        """Evaluate on the batches `start` to `stop` of `order` `(steps, batch)`."""
        model = self._model
        groups = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
        return self._run(self._test, groups, order, None, start, stop)[1]

    def validated(self) -> dict[str, Any] | None:
        """What validation in the last call of `train` logs; None, for there is none in it."""
        return None

    def reset_metrics(self) -> None:
        """Reset the model's metrics."""
        self._model.reset_metrics()

    def _run(
        self, many: Any, groups: Groups, order: Any, seeds: Any, start: int, stop: int
    ) -> tuple[int, dict[str, Any]]:
        state = tuple([variable.value for variable in group] for group in groups)
        done, logs, state = many(state, self._feeder.tensors, order, seeds, start, stop)
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return int(done), dict(logs)

    def _train_step(self, state: Any, tensors: Any, order: Any, seeds: Any, number: Any) -> Any:
        return self._model.train_step(state, self._feeder.batch(tensors, order[number], seeds[number]))

    def _test_step(self, state: Any, tensors: Any, order: Any, _seeds: None, number: Any) -> Any:
        return self._model.test_step(state, self._feeder.batch(tensors, order[number]))


def loops_well(model: keras.Model) -> bool:
    """Whether steps are at least as fast inside a compiled loop as one by one.

    On a CPU XLA computes convolutions inside a loop without its fast library: 23 times slower, measured on
    `configs/social_posts.yaml` with two cores.
    """
    return computes_on_gpu() or not any("conv" in type(layer).__name__.lower() for layer in model._flatten_layers())


def _one_call(step: Step, good: Callable[[Any], Any], **options: Any) -> Any:
    """`run(state, tensors, order, seeds, start, stop)` gives the number of the step to go on with, which is `stop`
    unless logs before were not `good`, the logs of the last step, and the state after it.
    """

    def run(state: Any, tensors: Any, order: Any, seeds: Any, start: Any, stop: Any) -> Any:
        def body(carried: Any) -> Any:
            number, _, state = carried
            return (number + 1, *step(state, tensors, order, seeds, number))

        def goes_on(carried: Any) -> Any:
            return (carried[0] < stop) & good(carried[1])

        _, logs, _ = jax.eval_shape(lambda state: body((start, None, state)), state)
        empty = jax.tree.map(lambda log: jax.numpy.zeros(log.shape, log.dtype), logs)
        return jax.lax.while_loop(goes_on, body, (start, empty, state))

    return jax.jit(run, **options)


def _call_by_call(step: Step, good: Callable[[Any], Any], **options: Any) -> Any:
    """As `_one_call`, with a call for each step. The state is that after all of them, whatever they log: to look at
    each would be to wait for each.
    """
    compiled = jax.jit(step, **options)

    def run(state: Any, tensors: Any, order: Any, seeds: Any, start: int, stop: int) -> Any:
        logged = []
        for number in range(start, stop):
            logs, state = compiled(state, tensors, order, seeds, number)
            logged.append(logs)
        count = next((count for count, logs in enumerate(logged, 1) if not good(logs)), len(logged))
        return start + count, logged[count - 1], state

    return run
