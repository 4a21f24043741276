"""What DeepDream and style transfer share: a net that looks at pictures of any size, and pictures as files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from dlrun.data._images import NAME
from dlrun.engine.artefacts import Artefact, list_artefacts
from dlrun.engine.layers import chosen_layers, recorded
from dlrun.engine.resolve import Experiment
from dlrun.errors import ConfigError, Key
from dlrun.events import Note
from dlrun.files import make_folder, write_bytes
from dlrun.spec import InputSpec


def given_pictures(experiment: Experiment, names: Sequence[str]) -> np.ndarray:
    """The pictures of the data as `(len(names), height, width, 3)`, uint8; `names` say what each is for.

    Raises ConfigError when the data is none of pictures, or of more or fewer.
    """
    data = experiment.data
    found = data.arrays.get(NAME)
    routine = experiment.config.routine.name
    if data.spec.tasks or found is None:
        raise ConfigError(
            f"the routine {routine!r} changes pictures themselves",
            key=("data", "name"),
            received=experiment.config.data.name,
            expected="pictures",
        )
    if len(found) != len(names):
        expected = f"{len(names)}: {', '.join(names)}"
        raise ConfigError(
            f"data.path names {len(found)} pictures", key=("data", "path"), received=str(len(found)), expected=expected
        )
    return np.asarray(found)


def looking_net(experiment: Experiment) -> keras.Model:
    """The model of the config for pictures of any size `(batch, height, width, 3)`, 0 to 1; nothing of it learns."""
    data = experiment.data
    experiment.data = replace(data, spec=replace(data.spec, inputs={NAME: InputSpec((None, None, 3))}))
    model = experiment.build_model()
    experiment.data = data
    model.trainable = False
    component = experiment.config.model
    if component is not None and component.parameters.get("weights", "") is None:
        experiment.emit(Note("the base is a random one: what comes out says nothing of what a net has learned"))
    return model


def named_layers(model: keras.Model, names: Sequence[str], key: Key) -> dict[str, Any]:
    """Layers by their names as written. Raises UnknownNameError and ConfigError, with the key."""
    return {name: next(iter(chosen_layers(model, [name], key).values())) for name in names}


def maps_of(model: keras.Model, pixels: Any, layers: Mapping[str, Any]) -> dict[str, Any]:
    """What layers give for pictures, by name; float32 also where a net has less, for sums of squares."""
    return {name: keras.ops.cast(maps, "float32") for name, maps in recorded(model, pixels, layers).items()}


def write_picture(experiment: Experiment, picture: np.ndarray, name: str, what: str, *, epoch: int) -> Path:
    """Write a picture `(height, width, 3)`, 0 to 255, cut to that, below the artefacts as PNG, and list it."""
    pixels = np.clip(np.rint(picture), 0, 255).astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    file = experiment.run.artefacts / name
    make_folder(file.parent)
    write_bytes(file, stream.getvalue())
    list_artefacts(experiment.run, [Artefact(file, what)], epoch=epoch)
    return file
