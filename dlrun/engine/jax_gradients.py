"""Gradients and compiled functions on JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import keras


def gradient(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any]:
    """The gradient of the number that `function` returns first, by its argument; and what it returns second."""
    found: tuple[Any, Any] = jax.grad(function, has_aux=True)(at)
    return found


def compiled(function: Callable[..., Any], model: keras.Model) -> Callable[..., Any]:
    """The function of arrays, compiled; the values of the model's variables are arguments, not constants of it."""
    variables = model.variables

    @jax.jit
    def run(values: list[Any], *arguments: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*arguments)

    return lambda *arguments: run([variable.value for variable in variables], *arguments)
