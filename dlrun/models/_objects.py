"""Keras objects from what a YAML file says: `relu`, `Flatten`, `{Dense: {units: 32}}`, `{L2: {l2: 0.001}}`."""

from __future__ import annotations

from typing import Any

import keras

LAYER_ARGUMENTS = ("layer", "forward_layer", "backward_layer")
_KINDS = (
    ("_regularizer", keras.regularizers),
    ("_initializer", keras.initializers),
    ("_constraint", keras.constraints),
)


def split_notation(value: Any) -> tuple[str, dict[str, Any]]:
    """Name and arguments of `"Flatten"` or of a one-key mapping."""
    if isinstance(value, str):
        return value, {}
    ((name, arguments),) = value.items()
    return name, dict(arguments or {})


def make_object(value: Any, module: Any) -> Any:
    """A Keras regularizer, initializer or constraint; strings and None are left to Keras' own look-up."""
    if not isinstance(value, dict):
        return value
    name, arguments = split_notation(value)
    return getattr(module, name)(**arguments)


def make_layer(value: Any) -> keras.Layer:
    """A Keras layer, with nested objects in its arguments made too."""
    name, arguments = split_notation(value)
    for key, argument in arguments.items():
        if key in LAYER_ARGUMENTS and argument is not None:
            arguments[key] = make_layer(argument)
        for ending, module in _KINDS:
            if key.endswith(ending):
                arguments[key] = make_object(argument, module)
    return getattr(keras.layers, name)(**arguments)
