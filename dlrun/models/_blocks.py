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


def embed(spec: DataSpec, inputs: Any, dimensions: int, vectors: Any = None, *, trainable: bool = False) -> Any:
    """Word ids `(batch, length)` as vectors `(batch, length, dimensions)`; other sequences as they are.

    `vectors` `(vocabulary_size, dimensions)` are pretrained ones, that training changes only if `trainable`.
    """
    words = spec.input.vocabulary_size
    if words is None:
        return inputs
    if vectors is None:
        return keras.layers.Embedding(words, dimensions)(inputs)
    layer = keras.layers.Embedding(words, vectors.shape[1], trainable=trainable)
    features = layer(inputs)
    layer.set_weights([vectors])
    return features
