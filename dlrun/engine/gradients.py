"""Gradients by inputs, activations and chosen weights, for which Keras has no function: one file per backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import keras


def gradient(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any]:
    """The gradient of the number that `function` returns first, by its argument, a tensor; and what it returns second.

    Zeros where the number does not depend on it.
    """
    found: tuple[Any, Any] = _backend_module().gradient(function, at)
    return found


def weight_gradients(
    function: Callable[[], tuple[Any, Any]], weights: Sequence[Any], model: keras.Model
) -> tuple[list[Any], Any, Any]:
    """The gradients of the number that `function` returns first by these `weights` of `model` alone, that number, and
    what it returns second. It may call the model in training, for a `train_step`; on JAX inside a
    `keras.StatelessScope` that knows all variables of the model.
    """
    found: tuple[list[Any], Any, Any] = _backend_module().weight_gradients(function, weights, model)
    return found


def compiled(function: Callable[..., Any], model: keras.Model, *, jit_compile: bool = False) -> Callable[..., Any]:
    """`function(*arrays)` compiled by the backend, once for each shape; it may call `model` and must change nothing.

    `jit_compile` asks for XLA, without which JAX never is.
    """
    found: Callable[..., Any] = _backend_module().compiled(function, model, jit_compile)
    return found


def _backend_module() -> ModuleType:
    if keras.backend.backend() == "jax":
        from dlrun.engine import jax_gradients

        return jax_gradients
    from dlrun.engine import tensorflow_gradients

    return tensorflow_gradients
