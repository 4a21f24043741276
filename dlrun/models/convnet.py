"""Convolutional networks for images (DLwP chapter 5)."""

from __future__ import annotations

from typing import Literal

import keras

import dlrun
from dlrun.errors import ConfigError
from dlrun.models._blocks import dense_stack
from dlrun.models._heads import output
from dlrun.models._inputs import single_input
from dlrun.models._objects import make_object
from dlrun.spec import Activation, Count, DataSpec, Fraction, Regularizer


@dlrun.model("convnet")
def convnet(
    spec: DataSpec,
    *,
    filters: list[Count] = [32, 64, 64],  # noqa: B006 - read, never changed
    kernel_size: Count = 3,
    padding: Literal["valid", "same"] = "valid",
    pool_size: Count = 2,
    pool_last: bool = False,
    hidden: list[Count] = [64],  # noqa: B006
    activation: Activation = "relu",
    batch_normalization: bool = False,
    dropout: Fraction = 0.0,
    kernel_regularizer: Regularizer = None,
) -> keras.Model:
    """Conv2D and MaxPooling2D in turn, then Dense layers.

    Inputs are images `(batch, height, width, channels)`. The defaults are the book's net for MNIST (DLwP 5.1, 93,322
    parameters on 28x28x1 and 10 classes); its net for cats and dogs (DLwP 5.2, 3,453,121 on 150x150x3) is
    `filters: [32, 64, 128, 128], pool_last: true, hidden: [512]`.

    Args:
        spec: What the data looks like.
        filters: Of each convolution.
        kernel_size: Side of the square window of each convolution, in pixels.
        padding: `same` keeps the size of the image, `valid` loses `kernel_size - 1` pixels.
        pool_size: Side of the square pooled after each convolution; 1 for no pooling.
        pool_last: Pool after the last convolution, too.
        hidden: Units of the Dense layers after Flatten.
        activation: Of convolutions and Dense layers.
        batch_normalization: Normalise before each activation of a convolution.
        dropout: Share of values dropped between Flatten and the Dense layers while training, 0 to 1.
        kernel_regularizer: On the kernels of convolutions and Dense layers.

    Raises:
        ConfigError: The input is no image, or too small for so many layers.
    """
    inputs = features = single_input(spec, "convnet")
    if len(spec.input.shape) != 3:
        raise ConfigError(
            f"the model 'convnet' wants images (height, width, channels), the data gives {spec.input.shape}",
            key=("model", "name"),
        )
    for position, count in enumerate(filters):
        last = position == len(filters) - 1
        needed = kernel_size if padding == "valid" else 1
        if min(features.shape[1:3]) < needed:
            raise ConfigError(
                f"after {position} convolutions the image is {features.shape[1]}x{features.shape[2]}",
                key=("model", "filters"),
                expected=f"at least {needed}x{needed} for one more",
                hint="fewer filters, or padding: same",
            )
        features = keras.layers.Conv2D(
            count,
            kernel_size,
            padding=padding,
            activation=None if batch_normalization else activation,
            kernel_regularizer=make_object(kernel_regularizer, keras.regularizers),
        )(features)
        if batch_normalization:
            features = keras.layers.BatchNormalization()(features)
            features = keras.layers.Activation(activation)(features)
        if pool_size > 1 and (pool_last or not last) and min(features.shape[1:3]) >= pool_size:
            features = keras.layers.MaxPooling2D(pool_size)(features)
    features = keras.layers.Flatten()(features)
    if dropout:
        features = keras.layers.Dropout(dropout)(features)
    features = dense_stack(features, hidden, activation=activation, kernel_regularizer=kernel_regularizer)
    return keras.Model(inputs, output(spec, features), name="convnet")
