"""A model in numbers: its layers with shapes and parameters, and the memory it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class LayerRow:
    """One layer: its name, Keras class, output shape without the batch axis, parameter count."""

    name: str
    kind: str
    shape: tuple[Any, ...]
    parameters: int


@dataclass(frozen=True)
class ModelTable:
    """The layers of a model and its parameter counts."""

    layers: list[LayerRow]
    parameters: int
    trainable_parameters: int


def describe_model(model: keras.Model) -> ModelTable:
    """The table of a built model."""
    rows = [
        LayerRow(layer.name, type(layer).__name__, _output_shape(layer), layer.count_params()) for layer in model.layers
    ]
    return ModelTable(rows, model.count_params(), sum(math.prod(v.shape) for v in model.trainable_variables))


def join_tables(tables: list[ModelTable]) -> ModelTable:
    """One table for several sub-models."""
    return ModelTable(
        [row for table in tables for row in table.layers],
        sum(table.parameters for table in tables),
        sum(table.trainable_parameters for table in tables),
    )


def _output_shape(layer: keras.Layer) -> tuple[Any, ...]:
    output: Any = getattr(layer, "output", None)
    return tuple(output.shape[1:]) if hasattr(output, "shape") else ()


def training_bytes(table: ModelTable, batch_size: int) -> int:
    """An estimate of what training holds besides the data, in bytes.

    Weights, gradients and two slots per weight in the optimizer, and the outputs of all layers for one batch, forward
    and backward, each as float32.
    """
    outputs = sum(math.prod(n or 1 for n in row.shape) for row in table.layers)
    return 4 * (4 * table.parameters + 2 * batch_size * outputs)
