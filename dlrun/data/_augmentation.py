"""Random variations of training pictures: one affine map for each, and one resampling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from dlrun.errors import DataError
from dlrun.spec import Augmentation

_DRAWS = 7  # numbers for each picture; always all of them, so that one option changes nothing for the others
_MOST = {"rotation": 180.0, "shear": 1.5}  # degrees, radians
_HINTS = {"shear": "shear is in radians: 0.2 are 11.5 degrees"}


def read_augmentation(options: Mapping[str, Any] | None, shape: Sequence[int]) -> Augmentation | None:
    """The augmentation that `data.augment` asks for; None for none. `shape` is that of a row. Raises DataError."""
    if not options:
        return None
    if len(shape) != 3:
        received = " x ".join(map(str, shape))
        raise DataError(
            "data.augment needs pictures of shape (height, width, channels)",
            key=("data", "augment"),
            received=f"rows of {received} values",
            hint="leave out data.flat; digits has data.image: true",
        )
    found = Augmentation(**options)
    for name, most in _MOST.items():
        if not 0 <= getattr(found, name) <= most:
            raise DataError(
                f"data.augment.{name} is out of range",
                key=("data", "augment", name),
                received=f"{getattr(found, name):g}",
                expected=f"0 to {most:g}",
                hint=_HINTS.get(name),
            )
    return found


def vary(images: Any, augmentation: Augmentation, seed: Any) -> Any:
    """A random variation of each of the images `(batch, height, width, channels)`, float32; same shape.

    `seed` as for `keras.random`.
    """
    draws = keras.random.uniform((_DRAWS, ops.shape(images)[0]), -1.0, 1.0, seed=seed)
    return resample(images, maps(draws, augmentation, images.shape[1:3]), augmentation)


def maps(draws: Any, augmentation: Augmentation, size: Sequence[int]) -> tuple[Any, ...]:
    """The affine map of each picture as six tensors `(batch,)`: two rows of `(down, right, offset)`, which lead from a
    place in the result to one in the picture, both seen from the centre. `draws` `(7, batch)` lie between -1 and 1.

    The product rotation . shift . shear . zoom of Keras 2.0.8 (`ImageDataGenerator.random_transform`), then the
    flip. Its centre lay one pixel beside the picture's, which later versions mended and this one does not repeat.
    """
    turn = draws[0] * math.radians(augmentation.rotation)
    down = draws[1] * (augmentation.height_shift * size[0])
    right = draws[2] * (augmentation.width_shift * size[1])
    shear = draws[3] * augmentation.shear
    taller, wider = 1 + draws[4] * augmentation.zoom, 1 + draws[5] * augmentation.zoom
    if augmentation.horizontal_flip:
        wider = ops.where(draws[6] < 0, -wider, wider)
    cosine, sine = ops.cos(turn), ops.sin(turn)
    return (
        *(cosine * taller, -ops.sin(turn + shear) * wider, cosine * down - sine * right),
        *(sine * taller, ops.cos(turn + shear) * wider, sine * down + cosine * right),
    )


def resample(images: Any, maps: Sequence[Any], augmentation: Augmentation) -> Any:
    """The images `(batch, height, width, channels)` seen through their maps.

    A gather rather than `keras.ops.image.affine_transform`, which gives the same pixels but which XLA does not compile
    and which takes half as long again on a CPU.
    """
    height, width = images.shape[1:3]
    middle = ((height - 1) / 2, (width - 1) / 2)
    down = ops.reshape(ops.arange(height, dtype="float32") - middle[0], (1, -1, 1))
    right = ops.reshape(ops.arange(width, dtype="float32") - middle[1], (1, 1, -1))
    m = [ops.reshape(one, (-1, 1, 1)) for one in maps]
    rows = m[0] * down + m[1] * right + (m[2] + middle[0])
    columns = m[3] * down + m[4] * right + (m[5] + middle[1])
    if augmentation.interpolation == "nearest":
        return _pixels(images, ops.floor(rows + 0.5), ops.floor(columns + 0.5), augmentation.fill_mode)
    top, left = ops.floor(rows), ops.floor(columns)
    below, beside = ops.expand_dims(rows - top, -1), ops.expand_dims(columns - left, -1)
    corners = [[_pixels(images, top + i, left + j, augmentation.fill_mode) for j in (0, 1)] for i in (0, 1)]
    upper, lower = (first * (1 - beside) + second * beside for first, second in corners)
    return upper * (1 - below) + lower * below


def _pixels(images: Any, rows: Any, columns: Any, fill_mode: str) -> Any:
    """The pixels at whole places `(batch, height, width)`, also outside of the picture."""
    height, width, channels = images.shape[1:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = _folded(rows, height, fill_mode), _folded(columns, width, fill_mode)
    first = ops.reshape(ops.arange(ops.shape(images)[0], dtype="int32") * (height * width), (-1, 1, 1))
    found = ops.take(ops.reshape(images, (-1, channels)), first + rows * width + columns, axis=0)
    return ops.where(ops.expand_dims(inside, -1), found, np.float32(0)) if fill_mode == "constant" else found


def _folded(places: Any, size: int, fill_mode: str) -> Any:
    """Places along one axis, those outside brought inside, int32."""
    if fill_mode == "wrap":
        return ops.cast(ops.mod(places, size), "int32")
    if fill_mode == "reflect":
        around = ops.mod(places, 2 * size)
        return ops.cast(ops.minimum(around, 2 * size - 1 - around), "int32")
    return ops.cast(ops.clip(places, 0, size - 1), "int32")
