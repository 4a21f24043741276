"""CIFAR-10's small colour pictures."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

import dlrun
from dlrun.data._archives import check_plain, open_tar
from dlrun.data._class_images import Parts, Published, Wishes, generated_parts, image_dataset, read_npz_parts
from dlrun.data._dataset import Dataset
from dlrun.data._npz import read_pickled
from dlrun.data._sources import DataContext, Download
from dlrun.errors import DataError
from dlrun.files import first_line
from dlrun.spec import Augment

# Address and hash as in keras/src/datasets/cifar10.py, which unpacks it into a folder of its own.
ARCHIVE = Download(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
FOLDER, CACHE_FOLDER = "cifar-10-batches-py", "cifar-10-batches-py-target"
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
MOST_BYTES = 2**26  # of one batch, which has 31 MB
MOST_ARCHIVE_BYTES = 2**29  # of the archive unpacked, which has 186 MB
CIFAR10 = Published(
    "cifar10",
    "CIFAR-10",
    target="object",
    labels=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    shape=(32, 32, 3),
    rows={"train": 50_000, "test": 10_000},
    first={"train": (6, 9, 9, 4, 1, 1, 2, 7, 8, 3), "test": (3, 8, 8, 0, 6, 6, 1, 6, 3, 1)},
)


@dlrun.dataset("cifar10")
def cifar10(
    context: DataContext,
    *,
    flat: bool = False,
    classes: list[str | int] | None = None,
    centred: bool = False,
    augment: Augment | None = None,
) -> Dataset:
    """50,000 + 10,000 pictures of 32x32 colour values, 10 kinds of objects. Reads cifar-10-python.tar.gz, or unpacked.

    A file cifar10.npz with x_train, y_train, x_test and y_test does as well.
    `flat`: rows of shape `(3072,)` for dense layers instead of `(32, 32, 3)`.
    `classes`, `centred`, `augment`: some classes alone, values from -1 to 1, random variations, as for image_folder.
    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """
    wishes = Wishes(flat, augment, classes, centred)
    if context.sample:
        return image_dataset(context, CIFAR10, generated_parts(context, CIFAR10), [], wishes)
    path = context.find_file("cifar10.npz", "cifar10")
    if path:
        return image_dataset(context, CIFAR10, read_npz_parts(path), [path], wishes)
    folder = context.find_file(FOLDER, "cifar10") or context.find_file(FOLDER, "cifar10", CACHE_FOLDER)
    if folder:
        files = [folder / name for names in BATCHES.values() for name in names]
        parts = _parts(folder, lambda name: _read_file(folder / name))
        return image_dataset(context, CIFAR10, parts, files, wishes)
    path = context.locate_file("cifar-10-python.tar.gz", "cifar10", ARCHIVE)
    return image_dataset(context, CIFAR10, _parts(path, _read_archive(path).__getitem__), [path], wishes)


def _parts(path: Path, read: Callable[[str], bytes]) -> Parts:
    parts = {}
    for part, names in BATCHES.items():
        images, labels = zip(*(_batch(f"{path}: {name}", read(name)) for name in names), strict=True)
        parts[part] = (np.concatenate(images), np.concatenate(labels))
    return parts


def _batch(place: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images `(rows, 32, 32, 3)` and labels `(rows,)` of a batch file: a pickled dict, colours one after the other."""
    values = read_pickled(place, content)
    data, labels = (values.get(key) for key in (b"data", b"labels")) if isinstance(values, dict) else (None, None)
    if not isinstance(data, np.ndarray) or data.shape[1:] != (3072,) or not isinstance(labels, list):
        raise DataError(f"{place}: this is no batch of CIFAR-10", expected="data with 3,072 values per row, and labels")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, "int64")


def _read_file(path: Path) -> bytes:
    check_plain(path)
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from error


def _read_archive(path: Path) -> dict[str, bytes]:
    """The batch files in the archive by name, read without unpacking anything to disk. Raises DataError."""
    wanted = {f"{FOLDER}/{name}": name for names in BATCHES.values() for name in names}
    found = {}
    try:
        with open_tar(path, MOST_ARCHIVE_BYTES) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name in wanted and member.size < MOST_BYTES else None
                if file is not None:
                    found[wanted[member.name]] = file.read()
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, RecursionError) as error:
        raise DataError(f"{path}: the archive cannot be read: {first_line(error)}") from error
    missing = [name for name in wanted.values() if name not in found]
    if missing:
        raise DataError(f"{path}: the archive lacks {', '.join(missing)}", expected=f"them in a folder {FOLDER}")
    return found
