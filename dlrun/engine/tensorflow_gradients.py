"""Gradients and compiled functions on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def gradient(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any]:
    """The gradient of the number that `function` returns first, by its argument; and what it returns second."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(at)
        value, further = function(at)
    return tape.gradient(value, at, unconnected_gradients=tf.UnconnectedGradients.ZERO), further


def compiled(function: Callable[..., Any], _model: keras.Model) -> Callable[..., Any]:
    """The function of arrays as a graph, which reads the variables of the model at each call."""
    graph: Callable[..., Any] = tf.function(function, autograph=False)
    return graph
