"""Published sets of small images, one class each: read from .npz or idx files, checked, or generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.data._arrays import ArrayEncoder
from dlrun.data._augmentation import read_augmentation
from dlrun.data._class_choice import choose_classes
from dlrun.data._dataset import Dataset
from dlrun.data._idx import read_idx
from dlrun.data._npz import read_array
from dlrun.data._published import check_published
from dlrun.data._sources import DataContext, Download
from dlrun.errors import DataError
from dlrun.seeds import child_seed

Parts = dict[str, tuple[np.ndarray, np.ndarray]]  # images and labels by "train" and "test"
COUNTS = {"train": 2000, "test": 1000}  # rows of the generated stand-in
IDX = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Published:
    """A published set: what its files hold. `first` are the first labels of a part, by which it is known."""

    name: str
    title: str
    target: str
    labels: tuple[str, ...]
    shape: tuple[int, int, int]
    rows: Mapping[str, int]
    first: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Wishes:
    """What a config may ask of such a set: rows as vectors, variations, some classes alone, values from -1 to 1."""

    flat: bool = False
    augment: Mapping[str, Any] | None = None
    classes: Sequence[str | int] | None = None
    centred: bool = False


def image_dataset(
    context: DataContext, published: Published, parts: Parts, files: list[Path], wishes: Wishes
) -> Dataset:
    """The dataset of these parts, checked; images rest as bytes and come as shares of 255, centred or not."""
    for part, (images, labels) in parts.items():
        if not context.sample:
            _check(published, files[0], part, images, labels)
    shape = (int(np.prod(published.shape)),) if wishes.flat else published.shape
    augmentation = read_augmentation(wishes.augment, shape)
    images = np.concatenate([images for images, _ in parts.values()])
    labels = np.concatenate([labels.reshape(-1) for _, labels in parts.values()])
    rows, targets, tasks = choose_classes(labels, published.target, published.labels, wishes.classes)
    training = int((rows < len(parts["train"][1])).sum())
    look: dict[str, Any] = {"dtype": "uint8", "divide_by": 255.0, "value_range": (0, 255), "centred": wishes.centred}
    return Dataset(
        name=published.name,
        raw={"image": images.reshape(-1, *shape) if len(rows) == len(labels) else images[rows].reshape(-1, *shape)},
        targets=targets,
        encoder=ArrayEncoder("image", shape, augmentation=augmentation, **look),
        tasks=tasks,
        parts={"training": np.arange(training), "test": np.arange(training, len(rows))},
        files=files,
        generated=context.sample,
        notes=[f"the images are a small generated stand-in (--sample), not {published.title}"]
        if context.sample
        else [],
    )


def read_npz_parts(path: Path) -> Parts:
    """Images and labels from a file with x_train, y_train, x_test, y_test. Raises DataError."""
    return {part: (read_array(path, f"x_{part}"), read_array(path, f"y_{part}")) for part in ("train", "test")}


def find_idx(context: DataContext, dataset: str, cache_folder: str = "") -> list[Path]:
    """The four idx files, compressed or not, in the order of IDX; empty when one is missing."""
    found = []
    for stem in IDX.values():
        names = (f"{stem}.gz", stem)
        path = next((p for name in names if (p := context.find_file(name, dataset, cache_folder))), None)
        if path is None:
            return []
        found.append(path)
    return found


def read_idx_parts(files: list[Path]) -> Parts:
    """Images and labels from four idx files in the order of IDX. Raises DataError."""
    arrays = dict(zip(IDX, map(read_idx, files), strict=True))
    return {part: (arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")}


def locate_idx(context: DataContext, dataset: str, downloads: Mapping[str, Download]) -> list[Path]:
    """As `find_idx`, or downloaded. `downloads` by stem. Raises DataError naming every place."""
    folder = next(iter(downloads.values())).cache_folder
    return find_idx(context, dataset, folder) or [
        context.locate_file(f"{stem}.gz", dataset, downloads[stem]) for stem in IDX.values()
    ]


def generated_parts(context: DataContext, published: Published) -> Parts:
    """Images that hold the blurred pattern of their class under noise; the same for the same seed."""
    random = np.random.default_rng(child_seed(context.seed, "data"))
    height, width, channels = published.shape
    classes = len(published.labels)
    coarse = random.random((classes, -(-height // 4), -(-width // 4), channels))
    patterns = np.kron(coarse, np.ones((1, 4, 4, 1)))[:, :height, :width]
    parts = {}
    for part, count in COUNTS.items():
        labels = random.permutation(np.arange(count) % classes)
        images = patterns[labels] * 150 + random.random((count, *published.shape)) * 105
        parts[part] = (images.astype("uint8"), labels.astype("uint8"))
    return parts


def _check(published: Published, path: Path, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Raises DataError when a part is not that of the published set."""
    shape = published.shape[:2] if published.shape[2] == 1 else published.shape
    title, rows = published.title, published.rows[part]
    check_published(path, title, f"the shape of the {part} images", images.shape, (rows, *shape))
    check_published(path, title, f"the number of {part} labels", labels.size, rows)
    if images.dtype != "uint8" or labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: this is not the published {title}: the {part} part holds other numbers",
            received=f"images of {images.dtype}, labels of {labels.dtype}",
            expected="images of uint8, labels of whole numbers",
        )
    first = published.first[part]
    check_published(path, title, f"the first {part} labels", tuple(labels.reshape(-1)[: len(first)].tolist()), first)
    found = sorted(set(labels.reshape(-1).tolist()))
    check_published(path, title, f"the {part} labels", found, list(range(len(published.labels))))
