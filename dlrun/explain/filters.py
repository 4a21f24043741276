"""What a filter answers to: a picture that climbs to it from grey noise (DLwP 5.4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from dlrun.engine.gradients import compiled, gradient
from dlrun.engine.layers import accept_any_size, all_layers, chosen_layers, is_convolution, run_to, without_activation
from dlrun.errors import ConfigError
from dlrun.explain._pictures import draw_filters
from dlrun.explain._subject import Subject, Written
from dlrun.files import first_line
from dlrun.seeds import child_seed

MOST_LAYERS = 4  # by default, evenly from the first convolution to the last
_NOISE, _STEP = 20 / 255, 1 / 255  # of the range of the inputs; listings 5-35 and 5-37 have 20 and 1 of 0 to 255
_SLANT = 1e-3


def explain_filters(subject: Subject) -> list[Written]:
    """A grid for each layer: the patterns to which its first filters answer most. Raises ConfigError."""
    options = subject.options
    layers = chosen_layers(subject.model, options.layers) if options.layers else _some(subject.model)
    if not layers:
        raise ConfigError("the model has no convolution, so it has no filters to show", hint="name a layer: --layer")
    (shape,) = (one.shape for one in subject.encoder.inputs().values())
    if options.size:
        accept_any_size(subject.model)
        shape = (options.size, options.size, *shape[2:])
    return [_layer(subject, name, layer, shape) for name, layer in layers.items()]


def _some(model: keras.Model) -> dict[str, Any]:
    found = [(name, layer) for name, layer in all_layers(model).items() if is_convolution(layer)]
    places = np.linspace(0, len(found) - 1, min(MOST_LAYERS, len(found))).round().astype(int)
    return dict(found[place] for place in places)


def _layer(subject: Subject, name: str, layer: Any, shape: tuple[int | None, ...]) -> Written:
    options = subject.options
    values = keras.ops.convert_to_numpy(subject.inputs)
    low, high = float(values.min()), float(values.max())
    noise = grey_noise(shape, low, high, child_seed(options.seed, "filters", name))
    climb = Climb(subject.model, layer, (high - low) * _STEP)
    count = climb.count_filters(noise)
    shown = list(range(min(options.filters, count)))
    patterns, dead = climb.run(noise, shown, options.steps)
    of = f"{name}: filters 0 to {shown[-1]} of {count}" if len(shown) < count else f"{name}: {count} filters"
    finding = f"{len(shown)} of {count} filters" + (f", {len(dead)} without an answer" if dead else "")
    file = draw_filters(patterns, subject.file("filters", f"{name}.png"), of, dead)
    facts = {"layer": name, "filters": shown, "dead": dead, "steps": options.steps, "shape": list(shape)}
    return Written("filters", name, file, finding, facts)


def grey_noise(shape: tuple[Any, ...], low: float, high: float, seed: int) -> np.ndarray:
    """A picture of the given shape just above the middle of `low` to `high` (DLwP, listing 5-37)."""
    noise = np.random.default_rng(seed).random(shape) * _NOISE + 0.5
    return (low + (high - low) * noise).astype("float32")


class Climb:
    """Gradient ascent in the pictures that a model gets, for all filters of a layer at once: one compiled step for a
    batch in which each picture climbs to a filter of its own.

    What grows is the mean of a filter, as in the book, plus a thousandth of what it is before the activation: most
    filters of a small convnet give 0 behind their relu for grey noise, and a 0 has no slope to begin with.
    """

    def __init__(self, model: keras.Model, layer: Any, step_size: float) -> None:
        self._name = layer.name
        activation = getattr(layer, "activation", None)
        self._activation: Callable[[Any], Any] = compiled(lambda pictures: run_to(model, pictures, layer), model)

        def step(pictures: Any, weights: Any) -> tuple[Any, Any]:
            def answer(at: Any) -> tuple[Any, None]:
                if activation is None:
                    output = run_to(model, at, layer)
                else:
                    with without_activation(layer):
                        before = run_to(model, at, layer)
                    output = activation(before) + _SLANT * before
                means = keras.ops.mean(output, axis=tuple(range(1, len(output.shape) - 1)))
                return keras.ops.sum(keras.ops.cast(means, "float32") * weights), None

            slope, _ = gradient(answer, pictures)
            size = keras.ops.sqrt(keras.ops.mean(keras.ops.square(slope), axis=(1, 2, 3), keepdims=True))
            return pictures + step_size * slope / (size + 1e-5), size[:, 0, 0, 0]

        self._step = compiled(step, model)

    def count_filters(self, picture: np.ndarray) -> int:
        """How many filters the layer has; they are the last axis of what it gives. Raises ConfigError."""
        try:
            return int(self._activation(keras.ops.convert_to_tensor(picture[None])).shape[-1])
        except ValueError as error:  # a layer does not fit pictures of this size
            message = f"pictures of {picture.shape[0]} pixels do not reach {self._name!r}: {first_line(error)}"
            raise ConfigError(message, hint="--size takes more") from error

    def run(self, picture: np.ndarray, filters: list[int], steps: int) -> tuple[np.ndarray, list[int]]:
        """The pictures `(filters, height, width, channels)` after so many steps from `picture`, and the filters that
        never gave a slope to climb.
        """
        width = self.count_filters(picture)
        weights = keras.ops.convert_to_tensor(np.eye(width, dtype="float32")[filters])
        pictures = keras.ops.convert_to_tensor(np.repeat(picture[None], len(filters), axis=0))
        largest = np.zeros(len(filters))
        for _ in range(steps):
            pictures, slopes = self._step(pictures, weights)
            largest = np.maximum(largest, keras.ops.convert_to_numpy(slopes))
        dead = [number for number, slope in zip(filters, largest.tolist(), strict=True) if slope == 0]
        return keras.ops.convert_to_numpy(pictures), dead
