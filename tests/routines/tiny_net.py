"""A plugin: a convnet of a few filters for pictures of any size, the same in each process."""

import keras
import numpy as np

import dlrun


@dlrun.model("tiny_net")
def tiny_net(spec, *, scale: float = 1.0):
    """Three convolutions without training; `scale` multiplies the weights."""
    inputs = keras.Input((None, None, 3))
    found = keras.layers.Conv2D(4, 3, activation="relu", padding="same", name="first")(inputs)
    found = keras.layers.Conv2D(6, 3, strides=2, activation="relu", padding="same", name="second")(found)
    found = keras.layers.Conv2D(8, 3, activation="relu", padding="same", name="third")(found)
    model = keras.Model(inputs, found)
    random = np.random.default_rng(5)
    model.set_weights([scale * random.normal(0, 0.2, weights.shape) for weights in model.get_weights()])
    return model
