"""MNIST's handwritten digits."""

from __future__ import annotations

import dlrun
from dlrun.data._class_images import (
    Published,
    Wishes,
    find_idx,
    generated_parts,
    image_dataset,
    read_idx_parts,
    read_npz_parts,
)
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext, Download
from dlrun.spec import Augment

# Address and hash as in keras/src/datasets/mnist.py.
ARRAYS = Download(
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
MNIST = Published(
    "mnist",
    "MNIST",
    target="digit",
    labels=tuple(map(str, range(10))),
    shape=(28, 28, 1),
    rows={"train": 60_000, "test": 10_000},
    first={"train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)},
)


@dlrun.dataset("mnist")
def mnist(
    context: DataContext,
    *,
    flat: bool = False,
    classes: list[str | int] | None = None,
    centred: bool = False,
    augment: Augment | None = None,
) -> Dataset:
    """60,000 + 10,000 handwritten digits of 28x28 grey values. Reads mnist.npz or the four idx files.

    `flat`: rows of shape `(784,)` for dense layers (DLwP 2.1) instead of `(28, 28, 1)`.
    `classes`, `centred`, `augment`: some classes alone, values from -1 to 1, random variations, as for image_folder.
    Source: LeCun, Cortes, Burges, The MNIST database of handwritten digits, 1998.
    """
    wishes = Wishes(flat, augment, classes, centred)
    if context.sample:
        return image_dataset(context, MNIST, generated_parts(context, MNIST), [], wishes)
    path = context.find_file("mnist.npz", "mnist")
    files = [] if path else find_idx(context, "mnist")
    if files:
        return image_dataset(context, MNIST, read_idx_parts(files), files, wishes)
    path = path or context.locate_file("mnist.npz", "mnist", ARRAYS)
    return image_dataset(context, MNIST, read_npz_parts(path), [path], wishes)
