"""Parts that several models are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from dlrun.models._objects import make_object
from dlrun.spec import DataSpec


def dense_stack(
    features: Any,
    hidden: Sequence[int],
    *,
    activation: str | None = "relu",
    dropout: float = 0.0,
    batch_normalization: bool = False,
    kernel_regularizer: Any = None,
) -> Any:
    """Dense layers on features `(batch, n)`, each with BatchNormalization before and Dropout after it if asked."""
    for units in hidden:
        features = keras.layers.Dense(
            units,
            activation=None if batch_normalization else activation,
            kernel_regularizer=make_object(kernel_regularizer, keras.regularizers),
        )(features)
        if batch_normalization:
            features = keras.layers.BatchNormalization()(features)
            features = keras.layers.Activation(activation)(features)
        if dropout:
            features = keras.layers.Dropout(dropout)(features)
    return features


def embed(spec: DataSpec, inputs: Any, dimensions: int) -> Any:
    """Word ids `(batch, length)` as vectors `(batch, length, dimensions)`; other sequences as they are."""
    if spec.input.vocabulary_size is None:
        return inputs
    return keras.layers.Embedding(spec.input.vocabulary_size, dimensions)(inputs)
