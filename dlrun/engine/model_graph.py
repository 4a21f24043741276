"""The graph of a Keras model as Keras keeps it: which layer takes what from which."""

from __future__ import annotations

from typing import Any

import keras


def calls_of(model: keras.Model) -> list[Any] | None:
    """Every use of a layer in a model, as Keras' nodes, each behind those it takes from; inputs first.

    None for a model that is no graph of layers (a class with a `call` of its own).
    """
    found = getattr(getattr(model, "_functional", None) or model, "_nodes_by_depth", None)
    if not found:
        return None
    return [node for depth in sorted(found, reverse=True) for node in found[depth]]
