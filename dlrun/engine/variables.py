"""What a run changes in a model: its variables, its optimizers, their learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from dlrun.errors import ConfigError, RunDirError


def optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """`model.optimizer` and any other that is an attribute of the model, as with a GAN's two."""
    found = [getattr(model, "optimizer", None), *vars(model).values()]
    return list({id(one): one for one in found if isinstance(one, keras.optimizers.Optimizer)}.values())


def state_variables(model: keras.Model) -> dict[str, list[Any]]:
    """Every variable a run changes, by group: the model's (seed generators included) and each optimizer's."""
    trained = {id(variable) for variable in model.trainable_variables}
    groups = {"model": [p for v in model.variables for p in ([v] if id(v) in trained else _of_each_device(v))]}
    for number, optimizer in enumerate(optimizers(model)):
        groups[f"optimizer{number}"] = list(optimizer.variables)
    return groups


def metrics_variables(model: keras.Model) -> list[Any]:
    """The variables of a model's metrics."""
    return [part for variable in model.metrics_variables for part in _of_each_device(variable)]


def _of_each_device(variable: Any) -> Sequence[Any]:
    """Where devices share batches, the copies of a variable: those of metrics and of batch normalisation differ."""
    copies: Sequence[Any] | None = getattr(variable.value, "values", None)
    return copies or [variable]


def best_state(model: keras.Model) -> list[np.ndarray]:
    """Copies of all that a `.keras` file of the model holds: its weights, and the state of its optimizers."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in _saved_variables(model)]


def set_best_state(model: keras.Model, values: Sequence[np.ndarray]) -> None:
    """The reverse of `best_state`. Raises RunDirError when the values are of another model."""
    variables = _saved_variables(model)
    if len(values) != len(variables):  # of an earlier stage, whose optimizer had other variables
        variables, values = model.weights, values[: len(model.weights)]
    if [tuple(one.shape) for one in variables] != [value.shape for value in values]:
        raise RunDirError("the checkpoint's best weights are of another model, or of an older dlrun")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _saved_variables(model: keras.Model) -> list[Any]:
    groups = state_variables(model)
    del groups["model"]
    return [*model.weights, *(variable for group in groups.values() for variable in group)]


def weights_are_finite(model: keras.Model) -> bool:
    """Whether no weight that is trained is NaN or infinite."""
    return all(np.isfinite(keras.ops.convert_to_numpy(one)).all() for one in model.trainable_variables)


def learning_rates(model: keras.Model) -> list[float]:
    """The rate of each optimizer."""
    return [float(keras.ops.convert_to_numpy(one.learning_rate)) for one in optimizers(model)]


def set_learning_rates(model: keras.Model, rates: Sequence[float]) -> None:
    """Set the rate of each optimizer. Raises ConfigError when there is none, or a schedule sets it."""
    found, key = optimizers(model), ("training", "on_nan")
    if not found or not all(one.built for one in found):
        raise ConfigError("rollback halves a learning rate, and no optimizer is built before the first step", key=key)
    for optimizer, rate in zip(found, rates, strict=True):
        try:
            optimizer.learning_rate = rate
        except TypeError as error:
            raise ConfigError("rollback halves the learning rate, and here a schedule sets it", key=key) from error


def rates_can_be_set(model: keras.Model) -> bool:
    """Whether `set_learning_rates` would work."""
    try:
        set_learning_rates(model, learning_rates(model))
    except ConfigError:
        return False
    return True
