"""Which part of a model learns: a base as a whole, or from one of its layers on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras

from dlrun.errors import ConfigError, Key, did_you_mean, listing


def unfreeze(model: keras.Model, name: str, *, key: Key) -> None:
    """Let a part of the model learn that did not: `all` of it, a model inside it by its name, or a layer and, in the
    model that it is a layer of, those after it.

    Batch normalisation that is frozen stays so: its statistics are of the pictures that the base has learned. (Calling
    a base with `training=False` does not keep them: Keras 3 overrides it, keras#20285.)
    Raises ConfigError when there is no such layer.
    """
    chosen = {id(layer) for layer in _plain_layers(_named(model, name, key))}
    learning = {
        id(layer)
        for layer in _plain_layers([model])
        if layer.trainable or (id(layer) in chosen and not isinstance(layer, keras.layers.BatchNormalization))
    }
    for owner in list(_models(model)):
        owner.trainable = True
    for layer in _plain_layers([model]):
        layer.trainable = id(layer) in learning


def _named(model: keras.Model, name: str, key: Key) -> Sequence[keras.Layer]:
    if name == "all":
        return [model]
    known = []
    for owner in _models(model):
        names = [layer.name for layer in owner.layers]
        if name in names:
            position = names.index(name)
            inside = isinstance(owner.layers[position], keras.Model)
            return owner.layers[position : position + 1] if inside else owner.layers[position:]
        known += names
    hint = did_you_mean(name, known) or "`dlrun check --summary` shows every layer"
    raise ConfigError(f"the model has no layer {name!r}", key=key, expected=listing(known), hint=hint)


def _models(model: keras.Model) -> Iterator[keras.Model]:
    """The model and all models inside it."""
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _models(layer)


def _plain_layers(layers: Sequence[keras.Layer]) -> Iterator[keras.Layer]:
    """These layers, with those of a model in its place."""
    for layer in layers:
        if isinstance(layer, keras.Model):
            yield from _plain_layers(layer.layers)
        else:
            yield layer
