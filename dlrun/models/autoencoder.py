"""Autoencoders of pictures, variational (DLwP 8.4) or plain."""

from __future__ import annotations

import math
from typing import Any, Literal

import keras
from keras import ops

import dlrun
from dlrun.errors import ConfigError
from dlrun.models._inputs import single_input
from dlrun.spec import Activation, Count, DataSpec

Sampled = Literal["corrected", "as_printed", "none"]
_SCALES = {"corrected": 0.5, "as_printed": 1.0}


@keras.saving.register_keras_serializable("dlrun")
class Sampling(keras.layers.Layer):
    """A random code around a mean: `mean + exp(scale * log_var) * noise`, noise from the normal distribution.

    With `scale` 0.5 the factor is the standard deviation that belongs to the variance exp(log_var) of the KL term
    (Kingma, Welling, Auto-Encoding Variational Bayes, 2013); the book's listing 8-24 has 1.
    """

    def __init__(self, scale: float = 0.5, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.scale = scale
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, mean: Any, log_var: Any) -> Any:
        """Codes `(batch, latent_dim)` like both arguments."""
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.generator)
        return mean + ops.exp(self.scale * log_var) * noise

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "seed": self.generator.get_config()["seed"]}


@keras.saving.register_keras_serializable("dlrun")
class Autoencoder(keras.Model):
    """An encoder and a decoder that give pictures back; with `sampling` a variational one.

    `encoder` gives codes `(batch, latent_dim)`; a variational one gives their mean and the logarithm of their variance.
    The loss is the mean binary crossentropy of all pixels, plus `kl_weight` times the mean of
    mean^2 + exp(log_var) - log_var - 1 over the batch and the axes of the code (DLwP listing 8-26).
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        sampling: Sampling | None = None,
        kl_weight: float = 5e-4,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.encoder, self.decoder, self.sampling, self.kl_weight = encoder, decoder, sampling, kl_weight
        self.reconstruction = keras.metrics.Mean("reconstruction")
        self.kl = keras.metrics.Mean("kl") if sampling else None

    def call(self, inputs: Any) -> dict[str, Any]:
        """The reconstruction `(batch, height, width, channels)`, with mean and log_var of the codes if variational."""
        if self.sampling is None:
            return {"reconstruction": self.decoder(self.encoder(inputs))}
        mean, log_var = self.encoder(inputs)
        return {"reconstruction": self.decoder(self.sampling(mean, log_var)), "mean": mean, "log_var": log_var}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The sum of both terms, which are logged, too; computed as precisely as weights are kept."""
        x, y_pred = keras.tree.map_structure(lambda one: ops.cast(one, self.variable_dtype), (x, y_pred))
        pixels = ops.mean(ops.binary_crossentropy(x, y_pred["reconstruction"]))
        size = ops.shape(x)[0]
        self.reconstruction.update_state(pixels, sample_weight=size)
        if self.kl is None:
            return pixels
        mean, log_var = y_pred["mean"], y_pred["log_var"]
        kl = -self.kl_weight * ops.mean(1 + log_var - ops.square(mean) - ops.exp(log_var))
        self.kl.update_state(kl, sample_weight=size)
        return pixels + kl

    def get_config(self) -> dict[str, Any]:
        parts = {"encoder": self.encoder, "decoder": self.decoder, "sampling": self.sampling}
        own = {name: part and keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **own, "kl_weight": self.kl_weight}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Autoencoder:
        parts = ("encoder", "decoder", "sampling")
        made = {name: config[name] and keras.saving.deserialize_keras_object(config[name]) for name in parts}
        return cls(**{**config, **made})


@dlrun.model("autoencoder")
def autoencoder(
    spec: DataSpec,
    *,
    latent_dim: Count = 2,
    filters: list[Count] = [32, 64, 64, 64],  # noqa: B006 - read, never changed
    hidden: Count = 32,
    decoder_filters: Count = 32,
    activation: Activation = "relu",
    sampling: Sampled = "corrected",
) -> keras.Model:
    """Convolutions down to a code of a few numbers, and a transposed convolution back to the picture.

    Inputs are pictures `(batch, height, width, channels)` with values from 0 to 1 and even sides. The routine `vae`
    trains it. The defaults are the book's nets for MNIST (DLwP listings 8-23 to 8-25): an encoder of 494,244
    parameters and a decoder of 56,385.

    Args:
        spec: What the data looks like.
        latent_dim: Numbers of a code; the latent grid shows the first two.
        filters: Of each convolution of the encoder; the second one halves the sides.
        hidden: Units of the Dense layer before the code.
        decoder_filters: Of the decoder's transposed convolution.
        activation: Of all layers but the last ones of encoder and decoder.
        sampling: `corrected`: noise with the standard deviation exp(log_var / 2); `as_printed`: with exp(log_var), as
            in the book; `none`: a plain autoencoder, whose code is one point.

    Raises:
        ConfigError: The input is no picture, or has an odd side.
    """
    inputs = single_input(spec, "autoencoder")
    shape = spec.input.shape
    if len(shape) != 3 or None in shape or any(side is None or side % 2 for side in shape[:2]):
        message = f"the model 'autoencoder' wants pictures (height, width, channels) with even sides, not {shape}"
        raise ConfigError(message, key=("model", "name"))
    features = inputs
    for place, count in enumerate(filters):
        features = keras.layers.Conv2D(
            count, 3, strides=2 if place == 1 or len(filters) == 1 else 1, padding="same", activation=activation
        )(features)
    smallest = tuple(features.shape[1:])
    features = keras.layers.Dense(hidden, activation=activation)(keras.layers.Flatten()(features))
    heads = [keras.layers.Dense(latent_dim, name="mean")(features)]
    if sampling != "none":
        heads.append(keras.layers.Dense(latent_dim, name="log_var")(features))
    encoder = keras.Model(inputs, heads if sampling != "none" else heads[0], name="encoder")
    codes = keras.Input((latent_dim,), name="code")
    features = keras.layers.Dense(math.prod(smallest), activation=activation)(codes)
    features = keras.layers.Reshape(smallest)(features)
    features = keras.layers.Conv2DTranspose(decoder_filters, 3, strides=2, padding="same", activation=activation)(
        features
    )
    pictures = keras.layers.Conv2D(shape[2], 3, padding="same", activation="sigmoid")(features)
    decoder = keras.Model(codes, pictures, name="decoder")
    noise = None if sampling == "none" else Sampling(_SCALES[sampling], name="sampling")
    return Autoencoder(encoder, decoder, noise, name="autoencoder")
