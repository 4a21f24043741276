"""Which part of a model learns: a base as a whole, or from one of its layers on."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from dlrun.errors import ConfigError, Key, did_you_mean, listing


def unfreeze(model: keras.Model, name: str, *, key: Key) -> None:
    """Let a part of the model learn that did not: `all` of it, a nested model by its name, or a layer and, in the model
    that it is a layer of, those after it.

    Raises ConfigError when there is no such layer.
    """
    if name == "all":
        model.trainable = True
        return
    for owner in _models(model):
        names = [layer.name for layer in owner.layers]
        if name in names:
            position = names.index(name)
            if isinstance(owner.layers[position], keras.Model):
                owner.layers[position].trainable = True
                return
            learned = [layer.name for layer in owner.layers[:position] if layer.trainable] if owner.trainable else []
            owner.trainable = True
            for layer in owner.layers[:position]:
                layer.trainable = layer.name in learned
            return
    known = [layer.name for owner in _models(model) for layer in owner.layers]
    raise ConfigError(
        f"the model has no layer {name!r}",
        key=key,
        expected=listing(known),
        hint=did_you_mean(name, known) or "`dlrun check --summary` shows every layer",
    )


def _models(model: keras.Model) -> Iterator[keras.Model]:
    """The model and all models inside it."""
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _models(layer)
