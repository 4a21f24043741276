"""Intermediate activations: what the layers of a model make of an input (DLwP 5.4.1)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from dlrun.engine.gradients import compiled
from dlrun.engine.layers import all_layers, chosen_layers, recorded, shows_features
from dlrun.errors import ConfigError, listing
from dlrun.explain._pictures import draw_channels, draw_plane
from dlrun.explain._subject import Subject, Written


def explain_activations(subject: Subject) -> list[Written]:
    """A picture for each sample and layer: all channels of pictures, else all units. Raises ConfigError."""
    wanted = subject.options.layers
    layers = chosen_layers(subject.model, wanted) if wanted else _telling(all_layers(subject.model))
    if not layers:
        raise ConfigError("the model has no layer to show activations of", hint="name one with --layer")
    found = layer_outputs(subject.model, subject.inputs, layers)
    return [
        _draw(subject, place, number, name, values[place])
        for place in range(len(subject.rows))
        for number, (name, values) in enumerate(found.items(), 1)
    ]


def _telling(layers: dict[str, Any]) -> dict[str, Any]:
    return {name: layer for name, layer in layers.items() if shows_features(layer)}


def layer_outputs(model: keras.Model, inputs: Any, layers: dict[str, Any]) -> dict[str, np.ndarray]:
    """What each layer gives for these inputs, `(batch, ...)` by name, in one pass. Layers that give no single tensor,
    or have no part in the output, are left out. Raises ConfigError when none is left.
    """
    found = compiled(lambda given: recorded(model, given, layers), model)(inputs)
    arrays = {name: found[name] for name in layers if hasattr(found.get(name), "shape")}
    if not arrays:
        raise ConfigError(f"{listing(layers)} have no part in the model's output, or give several tensors")
    return {name: keras.ops.convert_to_numpy(values).astype("float32") for name, values in arrays.items()}


def constant_channels(values: np.ndarray) -> list[int]:
    """The channels, last axis of `values` `(..., channels)`, that are the same everywhere: there is no pattern."""
    flat = values.reshape(-1, values.shape[-1])
    return [int(place) for place in np.flatnonzero(flat.std(axis=0) == 0)] if len(flat) > 1 else []


def _draw(subject: Subject, place: int, number: int, name: str, values: np.ndarray) -> Written:
    """The activation `(..., channels)` of one sample in one layer as a file."""
    file = subject.file("activations", subject.stems[place], f"{number:02d}-{name}.png")
    values = values.reshape(-1) if values.shape[:-1] == (1, 1) else values  # of such channels each would be constant
    constant = constant_channels(values)
    size = " x ".join(map(str, values.shape[:-1])) + (" steps" if values.ndim == 2 else "")
    finding = f"{values.shape[-1]} {'channels' if size else 'units'}{f' of {size}' if size else ''}"
    if constant:
        finding += f", {len(constant)} constant"
    if size:
        facts: dict[str, Any] = {"constant": constant}
    else:
        facts = {"zero": [int(unit) for unit in np.flatnonzero(values == 0)]}
        finding += f", {len(facts['zero'])} of them 0" if facts["zero"] else ""
    title = f"{subject.texts[place]}, {name}: {finding}"
    if values.ndim == 3:
        draw_channels(values, file, title)
    else:  # steps of a sequence from left to right, or the units of a Dense layer
        axis = "step" if values.ndim == 2 else "unit"
        draw_plane(values.T if values.ndim == 2 else values[None], file, title, axis=axis, bar="activation")
    facts |= {"layer": name, "shape": list(values.shape), "zero_fraction": round(float((values == 0).mean()), 4)}
    return Written("activations", f"{subject.texts[place]}, {name}", file, finding, facts)
