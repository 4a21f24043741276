"""SqueezeNet v1.1 without its classes, which Keras does not have."""

from __future__ import annotations

from typing import Any

import keras

_FIRE = ((2, 16, 64), (3, 16, 64), (4, 32, 128), (5, 32, 128), (6, 48, 192), (7, 48, 192), (8, 64, 256), (9, 64, 256))


def squeezenet(shape: tuple[int | None, ...], name: str) -> keras.Model:
    """Images `(batch, height, width, 3)` to features `(batch, height / 16, width / 16, 512)`; 722,496 parameters.

    Iandola et al., arXiv 1602.07360, in the version 1.1 of its authors, whose weights as converted for Keras it takes.
    """
    inputs = features = keras.Input(shape)
    features = keras.layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(features)
    features = keras.layers.MaxPooling2D(3, strides=2, name="pool1")(features)
    for number, squeezed, expanded in _FIRE:
        features = _fire(features, f"fire{number}", squeezed, expanded)
        if number in (3, 5):
            features = keras.layers.MaxPooling2D(3, strides=2, name=f"pool{number}")(features)
    return keras.Model(inputs, features, name=name)


def _fire(features: Any, name: str, squeezed: int, expanded: int) -> Any:
    features = keras.layers.Conv2D(squeezed, 1, activation="relu", name=f"{name}_squeeze1x1")(features)
    both = [
        keras.layers.Conv2D(expanded, side, padding="same", activation="relu", name=f"{name}_expand{side}x{side}")
        for side in (1, 3)
    ]
    return keras.layers.Concatenate(name=f"{name}_concat")([layer(features) for layer in both])
