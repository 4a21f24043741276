"""Handwritten digits bundled with scikit-learn."""

from __future__ import annotations

import sklearn.datasets

import dlrun
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._augmentation import read_augmentation
from dlrun.data._class_choice import choose_classes
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.spec import Augment


@dlrun.dataset("digits")
def digits(
    context: DataContext,
    *,
    image: bool = False,
    classes: list[str | int] | None = None,
    centred: bool = False,
    augment: Augment | None = None,
) -> Dataset:
    """1,797 handwritten digits of 8x8 grey values (0 to 16), 10 classes; comes with scikit-learn, no file needed.

    `image`: rows of shape `(8, 8, 1)` for convolutions instead of `(64,)`. `classes`, `centred`, `augment`: some digits
    alone, values from -1 to 1, random variations of training pictures, as for image_folder.
    Source: UCI optical recognition of handwritten digits, test part.
    """
    pixels, labels = sklearn.datasets.load_digits(return_X_y=True)
    shape, name = ((8, 8, 1), "image") if image else ((64,), "pixels")
    augmentation = read_augmentation(augment, shape)
    encoder = ArrayEncoder(
        name, shape, dtype="uint8", divide_by=16.0, value_range=(0, 16), augmentation=augmentation, centred=centred
    )
    rows, targets, tasks = choose_classes(labels, "digit", [str(digit) for digit in range(10)], classes)
    notes = ["digits comes with scikit-learn, so --sample changes nothing"] if context.sample else []
    return Dataset(
        name="digits",
        raw={name: pixels[rows].astype("uint8").reshape(-1, *shape)},
        targets=targets,
        encoder=encoder,
        tasks=tasks,
        notes=notes,
    )
