"""Gradients and compiled functions on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


def gradient(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any]:
    """The gradient of the number that `function` returns first, by its argument; and what it returns second."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(at)
        value, further = function(at)
    return tape.gradient(value, at, unconnected_gradients=tf.UnconnectedGradients.ZERO), further


def weight_gradients(
    function: Callable[[], tuple[Any, Any]], weights: Sequence[Any], _model: keras.Model
) -> tuple[list[Any], Any, Any]:
    """The gradients of what `function` returns first by these weights, that number, and what it returns second."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for weight in weights:
            tape.watch(weight.value)
        value, further = function()
    return tape.gradient(value, [weight.value for weight in weights]), value, further


def compiled(function: Callable[..., Any], _model: keras.Model, jit_compile: bool) -> Callable[..., Any]:
    """The function of arrays as a graph, which reads the variables of the model at each call."""
    graph: Callable[..., Any] = tf.function(function, autograph=False, jit_compile=jit_compile)
    return graph
