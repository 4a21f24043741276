"""The two nets of a GAN for pictures (DLwP 8.5)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

import dlrun
from dlrun.errors import ConfigError
from dlrun.spec import Activation, Count, DataSpec, Fraction


@dlrun.model("dcgan")
def dcgan(
    spec: DataSpec,
    *,
    latent_size: Count = 32,
    generator_filters: Count = 256,
    discriminator_filters: Count = 128,
    strided_layers: Count = 3,
    output_activation: Activation = "tanh",
    generator_dropout: Fraction = 0.0,
    dropout: Fraction = 0.4,
) -> keras.Model:
    """A generator of pictures and the discriminator that judges them, in a row: random numbers in, a judgement out.

    The two are models inside it, `generator` and `discriminator`, for the routine `gan`. The defaults are the book's
    nets for 32x32x3 (DLwP listings 8-29 and 8-30; 6,264,579 and 790,913 parameters). Below 0 LeakyReLU has a slope of
    0.3, Keras' default then and now.

    Args:
        spec: What the data looks like; the generator makes pictures of that shape.
        latent_size: Random numbers that a picture is made of.
        generator_filters: Of each convolution of the generator; its first layer has half as many maps.
        discriminator_filters: Of each convolution of the discriminator.
        strided_layers: Convolutions of the discriminator that halve the picture.
        output_activation: Of the generator; with tanh the data should lie between -1 and 1 (`data.centred`).
        generator_dropout: Share of values dropped before the last layer of the generator while training; the book
            advises some, and its listing has none.
        dropout: Share of values dropped before the last layer of the discriminator while training.

    Raises:
        ConfigError: The data has no pictures of even sides, or they are too small for so many layers.
    """
    shape = _picture_shape(spec)
    latent = keras.Input((latent_size,), name="latent")
    x = _leaky(layers.Dense(shape[0] // 2 * (shape[1] // 2) * _first_maps(generator_filters))(latent))
    x = layers.Reshape((shape[0] // 2, shape[1] // 2, _first_maps(generator_filters)))(x)
    x = _leaky(layers.Conv2D(generator_filters, 5, padding="same")(x))
    x = _leaky(layers.Conv2DTranspose(generator_filters, 4, strides=2, padding="same")(x))
    x = _leaky(layers.Conv2D(generator_filters, 5, padding="same")(x))
    x = _leaky(layers.Conv2D(generator_filters, 5, padding="same")(x))
    if generator_dropout:
        x = layers.Dropout(generator_dropout)(x)
    x = layers.Conv2D(shape[2], 7, activation=output_activation, padding="same")(x)
    generator = keras.Model(latent, x, name="generator")
    discriminator = _discriminator(shape, discriminator_filters, strided_layers, dropout)
    numbers = keras.Input((latent_size,), name="latent")
    return keras.Model(numbers, discriminator(generator(numbers)), name="dcgan")


def _discriminator(shape: tuple[int, int, int], filters: int, strided_layers: int, dropout: float) -> keras.Model:
    pictures = keras.Input(shape, name="image")
    x = _leaky(layers.Conv2D(filters, 3)(pictures))
    for number in range(strided_layers):
        if min(x.shape[1:3]) < 4:
            raise ConfigError(
                f"after {number} strided layers the picture is {x.shape[1]}x{x.shape[2]}",
                key=("model", "strided_layers"),
                expected="at least 4x4 for one more",
                hint=f"strided_layers: {max(1, number)}",
            )
        x = _leaky(layers.Conv2D(filters, 4, strides=2)(x))
    x = layers.Dropout(dropout)(layers.Flatten()(x))
    return keras.Model(pictures, layers.Dense(1, activation="sigmoid")(x), name="discriminator")


def _leaky(x: Any) -> Any:
    return layers.LeakyReLU(0.3)(x)


def _first_maps(filters: int) -> int:
    return max(1, filters // 2)


def _picture_shape(spec: DataSpec) -> tuple[int, int, int]:
    shape = spec.input.shape if len(spec.inputs) == 1 else ()
    if len(shape) == 3:
        height, width, channels = (side or 0 for side in shape)
        if min(height, width) >= 6 and height % 2 == width % 2 == 0:
            return height, width, channels
    raise ConfigError(
        "the model 'dcgan' makes pictures (height, width, channels) whose sides are even numbers from 6",
        key=("model", "name"),
        received=", ".join(f"{name} {tuple(one.shape)}" for name, one in spec.inputs.items()),
        hint="leave out data.flat; digits has data.image: true",
    )
