"""Zalando's pictures of clothes, in the form of MNIST."""

from __future__ import annotations

import dlrun
from dlrun.data._class_images import (
    IDX,
    Published,
    Wishes,
    generated_parts,
    image_dataset,
    locate_idx,
    read_idx_parts,
    read_npz_parts,
)
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext, Download
from dlrun.spec import Augment

# Address as in keras/src/datasets/fashion_mnist.py, MD5 as in github.com/zalandoresearch/fashion-mnist (README).
FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
HASHES = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)
FILES = {
    stem: Download(f"{FOLDER}/{stem}.gz", file_hash, cache_folder="fashion-mnist")
    for stem, file_hash in zip(IDX.values(), HASHES, strict=True)
}
CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FASHION_MNIST = Published(
    "fashion_mnist",
    "Fashion-MNIST",
    target="article",
    labels=CLOTHES,
    shape=(28, 28, 1),
    rows={"train": 60_000, "test": 10_000},
    first={"train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)},
)


@dlrun.dataset("fashion_mnist")
def fashion_mnist(
    context: DataContext,
    *,
    flat: bool = False,
    classes: list[str | int] | None = None,
    centred: bool = False,
    augment: Augment | None = None,
) -> Dataset:
    """60,000 + 10,000 pictures of clothes of 28x28 grey values. Reads the four idx files or fashion_mnist.npz.

    `flat`: rows of shape `(784,)` for dense layers instead of `(28, 28, 1)`.
    `classes`, `centred`, `augment`: some classes alone, values from -1 to 1, random variations, as for image_folder.
    Source: Xiao, Rasul, Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017.
    """
    wishes = Wishes(flat, augment, classes, centred)
    if context.sample:
        return image_dataset(context, FASHION_MNIST, generated_parts(context, FASHION_MNIST), [], wishes)
    path = context.find_file("fashion_mnist.npz", "fashion_mnist")
    if path:
        return image_dataset(context, FASHION_MNIST, read_npz_parts(path), [path], wishes)
    files = locate_idx(context, "fashion_mnist", FILES)
    return image_dataset(context, FASHION_MNIST, read_idx_parts(files), files, wishes)
