"""Keras objects from what a YAML file says: `relu`, `Flatten`, `{Dense: {units: 32}}`, `{L2: {l2: 0.001}}`."""

from __future__ import annotations

from typing import Any

import keras

from dlrun.keras_names import LAYER_ARGUMENTS, OBJECT_ENDINGS


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


def make_layer(value: Any, layer_name: str = "") -> keras.Layer:
    """A Keras layer, with nested objects in its arguments made too; `layer_name` is its name unless it states one."""
    name, arguments = split_notation(value)
    made = {key: _make_argument(key, item) for key, item in arguments.items()}
    return getattr(keras.layers, name)(**({"name": layer_name} if layer_name else {}) | made)


def _make_argument(name: str, value: Any) -> Any:
    if name in LAYER_ARGUMENTS and value is not None:
        return [make_layer(item) for item in value] if isinstance(value, list) else make_layer(value)
    for ending, kind in OBJECT_ENDINGS.items():
        if name.endswith(ending):
            return make_object(value, getattr(keras, kind))
    return value
