"""Losses among what a step logs, and whether they are finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras


def logged_losses(logs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value of each loss, in nested logs too: what has `loss` in its name."""
    for name, value in logs.items():
        if isinstance(value, Mapping):
            yield from logged_losses(value)
        elif "loss" in name:
            yield name, value


def losses_are_finite(logs: Mapping[str, Any]) -> Any:
    """Whether no loss is NaN or infinite, as a tensor `()`; works inside a graph."""
    finite = [keras.ops.all(keras.ops.isfinite(value)) for _, value in logged_losses(logs)]
    return keras.ops.all(keras.ops.stack(finite)) if finite else keras.ops.convert_to_tensor(True)
