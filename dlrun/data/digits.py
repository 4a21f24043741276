"""Handwritten digits bundled with scikit-learn."""

from __future__ import annotations

import sklearn.datasets

import dlrun
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._augmentation import read_augmentation
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.spec import Augment, Task


@dlrun.dataset("digits")
def digits(context: DataContext, *, image: bool = False, augment: Augment | None = None) -> Dataset:
    """1,797 handwritten digits of 8x8 grey values (0 to 16), 10 classes; comes with scikit-learn, no file needed.

    `image`: rows of shape `(8, 8, 1)` for convolutions instead of `(64,)`. `augment`: random variations of training
    pictures, as for image_folder. Source: UCI optical recognition of handwritten digits, test part.
    """
    pixels, labels = sklearn.datasets.load_digits(return_X_y=True)
    shape, name = ((8, 8, 1), "image") if image else ((64,), "pixels")
    augmentation = read_augmentation(augment, shape)
    encoder = ArrayEncoder(name, shape, dtype="uint8", divide_by=16.0, value_range=(0, 16), augmentation=augmentation)
    notes = ["digits comes with scikit-learn, so --sample changes nothing"] if context.sample else []
    return Dataset(
        name="digits",
        raw={name: pixels.astype("uint8").reshape(-1, *shape)},
        targets={"digit": labels.astype("int32")},
        encoder=encoder,
        tasks={"digit": Task("multiclass", labels=tuple(map(str, range(10))))},
        notes=notes,
    )
