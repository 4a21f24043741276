"""The user's own images: folders of classes, or named files, also inside a zip archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._augmentation import read_augmentation
from dlrun.data._class_choice import choose_classes, wanted_classes
from dlrun.data._dataset import Dataset
from dlrun.data._decoded import decoded_images
from dlrun.data._image_decoding import Look
from dlrun.data._image_files import Stored, image_names, open_source
from dlrun.data._image_layout import (
    ORDER,
    Picture,
    arrange,
    check_classes,
    in_order,
    scale_wishes,
    take_at_most,
    take_per_class,
)
from dlrun.data._images import NAME, ImageEncoder
from dlrun.data._sources import DataContext
from dlrun.errors import DataError, listing
from dlrun.spec import Augment, Count, DataPath, Fraction

MOST_SIDE = 4096  # pixels
TARGET = "label"


@dlrun.dataset("image_folder")
def image_folder(
    context: DataContext,
    *,
    path: DataPath,
    height: int = 150,
    width: int = 150,
    color: Literal["rgb", "grayscale"] = "rgb",
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear",
    label_from: Literal["auto", "folder", "file_name"] = "auto",
    per_class: dict[Literal["training", "validation", "test"], Count | Fraction] = {},  # noqa: B006  not changed
    scale_per_class: bool = False,
    max_images: int | None = None,
    classes: list[str | int] | None = None,
    centred: bool = False,
    augment: Augment | None = None,
    unreadable_fraction: float = 0.05,
    memory_limit_mib: int = 2048,
) -> Dataset:
    """Images in a folder for each class, or files such as cat.0.jpg; a folder or a .zip. JPEG, PNG, BMP, GIF, WebP.

    `path`: the folder or archive. Folders train, validation (val, valid) and test in it give the parts.
    `height`, `width`: every image is stretched to this size, in pixels, with `interpolation`.
    `color`: `rgb` or `grayscale`, whatever the files are; transparency and orientation tags are not looked at.
    `label_from`: the `folder`, the `file_name` up to its first dot, or `auto`: folders if there are some.
    `per_class`: images of each class for each part, in the natural order of the files, as numbers or as shares; the
    book's 0-999, 1000-1499, 1500-1999 is `{training: 1000, validation: 500, test: 500}` (DLwP 5.2.2).
    `scale_per_class`: takes fewer for every part alike, with a note, where a class has not so many files.
    `max_images`: the first files of every class in turn until there are so many.
    `classes`: only these; of one alone there is nothing to tell, as for autoencoders and GANs.
    `centred`: values from -1 to 1 instead of 0 to 1.
    `augment`: random variations of training pictures: rotation (degrees), width_shift, height_shift, shear (radians),
    zoom, horizontal_flip, fill_mode, interpolation (DLwP 5.2.5).
    `unreadable_fraction`: the share of files that may be broken; they are left out with a note.
    `memory_limit_mib`: more than this stays in the cache file and is read from there.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own images", hint="run it without --sample")
    _check_options(height, width, max_images, unreadable_fraction, memory_limit_mib)
    source = open_source(context.locate(path))
    pictures, notes = _pictures(source, label_from, dict(per_class.items()), max_images, scale_per_class, classes)
    labels = sorted({p.label for p in pictures})
    look = Look(height, width, color, interpolation)
    names = [p.name for p in pictures]
    found = decoded_images(source, names, look, memory_limit_mib << 20)
    if found.unreadable:
        notes.append(_judge_unreadable(source, found.unreadable, len(names), unreadable_fraction))
        pictures = [p for p in pictures if p.name not in found.unreadable]
        _check_left(source, pictures, labels)
    if isinstance(found.images, np.memmap):
        notes.append(f"the images ({found.images.nbytes >> 20:,} MiB) are read from the cache file, not from memory")
    codes = np.array([labels.index(p.label) for p in pictures])
    _, targets, tasks = choose_classes(codes, TARGET, labels, None)
    return Dataset(
        name="image_folder",
        raw={NAME: found.images},
        targets=targets,
        encoder=ImageEncoder(look, read_augmentation(augment, look.shape), centred=centred),
        tasks=tasks,
        parts=_parts(pictures),
        columns={"file": np.array([p.name for p in pictures], object)},
        files=[source.path],
        notes=notes,
    )


def _check_options(height: int, width: int, max_images: int | None, fraction: float, memory_limit_mib: int) -> None:
    for name, side in (("height", height), ("width", width)):
        if not 1 <= side <= MOST_SIDE:
            raise DataError(
                f"data.{name} is no size", key=("data", name), received=str(side), expected=f"1 to {MOST_SIDE} pixels"
            )
    if max_images is not None and max_images < 2:
        raise DataError("data.max_images leaves no two images", key=("data", "max_images"), received=str(max_images))
    if not 0 <= fraction < 1:
        raise DataError(
            "data.unreadable_fraction is no share",
            key=("data", "unreadable_fraction"),
            received=f"{fraction:g}",
            expected="0 (none may be broken) or more, below 1",
        )
    if memory_limit_mib < 0:
        raise DataError("data.memory_limit_mib is no limit", key=("data", "memory_limit_mib"), expected="0 or more")


def _pictures(
    source: Stored,
    label_from: str,
    per_class: dict[str, int | float],
    max_images: int | None,
    scale: bool,
    classes: list[str | int] | None,
) -> tuple[list[Picture], list[str]]:
    """The images to use, in the order of the rows, and notes on files that are none."""
    images, others = image_names(source)
    pictures, without = arrange(images, label_from, str(source.path))
    notes = []
    if others:
        notes.append(f"{len(others):,} files are no images and left out: {listing(others, 3)}")
    if classes is not None:
        chosen = wanted_classes(sorted({p.label for p in pictures}), classes)
        pictures = [p for p in pictures if p.label in chosen]
    if classes is None or len(chosen) > 1:
        check_classes(pictures, without, str(source.path))
    if without:
        notes.append(f"{len(without):,} images have no class and are left out: {listing(without, 3)}")
    if per_class and scale:
        per_class, note = scale_wishes(pictures, per_class)
        notes += [note] if note else []
    if per_class:
        pictures = take_per_class(pictures, per_class, str(source.path))
    if max_images is not None:
        pictures = take_at_most(pictures, max_images)
    return in_order(pictures), notes


def _judge_unreadable(source: Stored, unreadable: dict[str, str], total: int, most: float) -> str:
    """The note on files that are left out. Raises DataError when they are too many."""
    share = len(unreadable) / total
    lines = [f"{source.place(name)}: {reason}" for name, reason in list(unreadable.items())[:5]]
    if share > most or len(unreadable) == total:
        raise DataError(
            f"{source.path}: {len(unreadable):,} of {total:,} images cannot be read ({share:.1%})",
            key=("data", "unreadable_fraction"),
            received="\n".join(lines),
            expected=f"at most {most:.1%}",
            hint="repair or remove them, or allow more in data.unreadable_fraction",
        )
    return f"{len(unreadable):,} of {total:,} images cannot be read and are left out: {'; '.join(lines)}"


def _check_left(source: Stored, pictures: Sequence[Picture], labels: Sequence[str]) -> None:
    """Raises DataError when a class has lost all its images."""
    left = {p.label for p in pictures if p.part in ("", "training")}
    lost = [label for label in labels if label not in left]
    if lost:
        raise DataError(f"{source.path}: none of the training images of {listing(lost)} can be read")


def _parts(pictures: Sequence[Picture]) -> dict[str, np.ndarray]:
    rows = {part: np.array([row for row, p in enumerate(pictures) if p.part == part], int) for part in ORDER}
    return {part: indices for part, indices in rows.items() if len(indices)}
