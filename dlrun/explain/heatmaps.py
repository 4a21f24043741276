"""Heat maps of class activation, Grad-CAM: where in a picture a class was seen (DLwP 5.4.3).

Source: Selvaraju et al., Grad-CAM, 2017, section 3: each channel of a layer weighs as the mean of its gradient.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from dlrun.engine.gradients import compiled, gradient
from dlrun.engine.layers import all_layers, chosen_layers, is_convolution, run_to, tapped
from dlrun.errors import ConfigError
from dlrun.explain._pictures import draw_map
from dlrun.explain._scores import Scorer
from dlrun.explain._subject import Subject, Written
from dlrun.explain._titles import Explained, explained_classes


def explain_heatmaps(subject: Subject) -> list[Written]:
    """A picture for each sample and layer: the picture, the map, both over each other. Raises ConfigError."""
    names = subject.options.layers
    layers = chosen_layers(subject.model, names) if names else _last_convolution(subject.model)
    explained, inputs = explained_classes(subject), keras.ops.convert_to_numpy(subject.inputs)
    written = []
    for name, layer in layers.items():
        maps = heat_maps(subject.model, layer, inputs, subject.scorer, explained.classes)
        written += [_draw(subject, place, name, inputs[place], maps[place], explained) for place in range(len(maps))]
    return written


def _last_convolution(model: keras.Model) -> dict[str, Any]:
    found = [(name, layer) for name, layer in all_layers(model).items() if is_convolution(layer)]
    if not found:
        raise ConfigError(
            "the model has no convolution, so there is no heat map of where it looks",
            hint="--what saliency needs none; another layer may be named with --layer",
        )
    return dict(found[-1:])


def heat_maps(model: keras.Model, layer: Any, inputs: Any, scorer: Scorer, classes: np.ndarray) -> np.ndarray:
    """Maps `(batch, height, width)` of the layer's size, not scaled: how much each place speaks for the class of
    its row. Raises ConfigError when the layer gives no pictures.
    """

    def maps(given: Any, weights: Any) -> Any:
        activation = run_to(model, given, layer)
        if len(activation.shape) != 4:
            raise ConfigError(
                f"the layer {layer.name!r} gives {tuple(activation.shape[1:])} for each picture",
                expected="a layer that gives (height, width, channels)",
                hint="--what activations shows any layer",
            )

        def score(change: Any) -> tuple[Any, None]:
            with tapped(layer, lambda output: output + change):
                return scorer.score(scorer.outputs(given), weights), None

        slope, _ = gradient(score, keras.ops.zeros_like(activation))
        channels = keras.ops.mean(slope, axis=(1, 2), keepdims=True)
        return keras.ops.relu(keras.ops.sum(channels * activation, axis=-1))

    found = compiled(maps, model)(
        keras.ops.convert_to_tensor(inputs), keras.ops.convert_to_tensor(scorer.class_weights(classes))
    )
    return np.asarray(keras.ops.convert_to_numpy(found), "float32")


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map `(h, w)` as shares of its maximum `(height, width)`, between its points on a line; zeros stay zeros."""
    scaled = values / (float(values.max()) or 1.0)
    found = keras.ops.image.resize(scaled[:, :, None], (height, width), interpolation="bilinear")
    return np.clip(keras.ops.convert_to_numpy(found)[:, :, 0], 0, 1)


def _draw(
    subject: Subject, place: int, name: str, picture: np.ndarray, values: np.ndarray, explained: Explained
) -> Written:
    shown = enlarged(values, *picture.shape[:2])
    file = subject.file("heatmaps", f"{subject.stems[place]}-{name}.png")
    hottest = [int(one) for one in np.unravel_index(int(shown.argmax()), shown.shape)]
    seen = bool(values.max() > 0)
    finding = explained.finding(place) + ("" if seen else ", nothing in the picture speaks for it")
    draw_map(picture, shown, file, f"{explained.title(place)}; {name}")
    facts = explained.facts(place) | {"layer": name, "hottest": hottest if seen else None}
    return Written("heatmaps", f"{subject.texts[place]}, {name}", file, finding, facts)
