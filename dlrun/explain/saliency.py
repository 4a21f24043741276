"""Saliency: how much the class moves with each input (Simonyan et al., Deep Inside Convolutional Networks, 2013)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from dlrun.engine.gradients import compiled, gradient
from dlrun.explain._pictures import draw_map, draw_plane
from dlrun.explain._scores import Scorer
from dlrun.explain._subject import Subject, Written
from dlrun.explain._titles import explained_classes


def explain_saliency(subject: Subject) -> list[Written]:
    """A picture for each sample: of pictures the map beside them, of series a cell for each step and feature."""
    explained, inputs = explained_classes(subject), keras.ops.convert_to_numpy(subject.inputs)
    slopes = np.abs(input_gradients(subject.model, inputs, subject.scorer, explained.classes))
    pictures, written = subject.as_pictures(inputs), []
    for place, slope in enumerate(slopes if pictures is None else slopes.reshape(pictures.shape)):
        file, title = subject.file("saliency", f"{subject.stems[place]}.png"), explained.title(place)
        if pictures is not None:
            values = slope.max(axis=-1)  # the channel that counts most, as the paper has it
            draw_map(pictures[place], values / (float(values.max()) or 1.0), file, title, colours="inferno")
        else:
            values = slope
            names = getattr(subject.encoder, "columns", ())
            draw_plane(values.T, file, title, rows=names, axis="step", bar="slope, absolute")
        strongest = [int(one) for one in np.unravel_index(int(values.argmax()), values.shape)]
        facts = explained.facts(place) | {"strongest": strongest, "largest": float(values.max())}
        written.append(Written("saliency", subject.texts[place], file, explained.finding(place), facts))
    return written


def input_gradients(model: keras.Model, inputs: Any, scorer: Scorer, classes: np.ndarray) -> np.ndarray:
    """The gradient of each row's class by its inputs, of their shape `(batch, ...)`; inputs are numbers, not ids."""

    def slopes(given: Any, weights: Any) -> Any:
        return gradient(lambda at: (scorer.score(scorer.outputs(at), weights), None), given)[0]

    found = compiled(slopes, model)(
        keras.ops.convert_to_tensor(inputs), keras.ops.convert_to_tensor(scorer.class_weights(classes))
    )
    return np.asarray(keras.ops.convert_to_numpy(found), "float32")
