"""Densely connected networks (DLwP chapters 2 to 4)."""

from __future__ import annotations

import math

import keras

import dlrun
from dlrun.errors import ConfigError
from dlrun.models._blocks import dense_stack
from dlrun.models._heads import output
from dlrun.models._inputs import single_input
from dlrun.spec import Activation, Count, DataSpec, Fraction, Regularizer


@dlrun.model("mlp")
def mlp(
    spec: DataSpec,
    *,
    hidden: list[Count] = [64, 64],  # noqa: B006 - read, never changed
    activation: Activation = "relu",
    dropout: Fraction = 0.0,
    batch_normalization: bool = False,
    kernel_regularizer: Regularizer = None,
) -> keras.Model:
    """A stack of Dense layers.

    Inputs of any shape `(batch, ...)` are flattened. Each hidden layer is Dense, BatchNormalization if asked, the
    activation, and Dropout if its rate is above 0. The default of two layers of 64 is the book's for Reuters and Boston
    (DLwP 3.5, 3.6).

    Args:
        spec: What the data looks like.
        hidden: Units of each hidden layer; empty for a linear model.
        activation: Of the hidden layers.
        dropout: Share of units that is dropped after each hidden layer while training, 0 to 1.
        batch_normalization: Normalise before each activation.
        kernel_regularizer: On each hidden layer's kernel.

    Raises:
        ConfigError: The input holds word ids, or its size is not fixed.
    """
    features = single_input(spec, "mlp")
    if spec.input.vocabulary_size is not None:
        raise ConfigError(
            "the model 'mlp' wants numbers, the data gives word ids",
            key=("model", "name"),
            hint="set data.encoding: multi_hot, or use `layers` with an Embedding first",
        )
    if None in spec.input.shape:
        raise ConfigError(
            "the model 'mlp' wants inputs of one size", key=("model", "name"), received=str(spec.input.shape)
        )
    inputs = features
    if len(spec.input.shape) > 1:
        features = keras.layers.Reshape((math.prod(n or 0 for n in spec.input.shape),))(features)
    features = dense_stack(
        features,
        hidden,
        activation=activation,
        dropout=dropout,
        batch_normalization=batch_normalization,
        kernel_regularizer=kernel_regularizer,
    )
    return keras.Model(inputs, output(spec, features), name="mlp")
