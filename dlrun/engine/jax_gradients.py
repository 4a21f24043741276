"""Gradients and compiled functions on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras


def gradient(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any]:
    """The gradient of the number that `function` returns first, by its argument; and what it returns second."""
    found: tuple[Any, Any] = jax.grad(function, has_aux=True)(at)
    return found


def weight_gradients(
    function: Callable[[], tuple[Any, Any]], weights: Sequence[Any], model: keras.Model
) -> tuple[list[Any], Any, Any]:
    """The gradients of what `function` returns first by these weights, that number, and what it returns second.

    What changes meanwhile (the seeds of dropout, moving averages) is put into the scope around.
    """
    chosen = {id(weight) for weight in weights}
    others = [variable for variable in model.variables if id(variable) not in chosen]
    before = [(variable, variable.value) for variable in others]

    def of_values(values: list[Any]) -> Any:
        mapping = [*zip(weights, values, strict=True), *before]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            value, further = function()
        return value, (further, [scope.get_current_value(variable) for variable in others])

    (value, (further, after)), found = jax.value_and_grad(of_values, has_aux=True)([one.value for one in weights])
    for variable, new in zip(others, after, strict=True):
        variable.assign(new)
    return found, value, further


def compiled(function: Callable[..., Any], model: keras.Model, _jit_compile: bool) -> Callable[..., Any]:
    """The function of arrays, compiled; the values of the model's variables are arguments, not constants of it."""
    variables = model.variables

    @jax.jit
    def run(values: list[Any], *arguments: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*arguments)

    return lambda *arguments: run([variable.value for variable in variables], *arguments)
