"""Images of a folder or archive, decoded once and kept in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlrun.data._cache import UNUSABLE, Chunks, cache_folder, cached, in_memory
from dlrun.data._image_decoding import Look, decode_all
from dlrun.data._image_files import Stored
from dlrun.errors import DataError


@dataclass(frozen=True)
class Decoded:
    """Images `(rows, height, width, channels)`, uint8, of all names but the unreadable, and why those are."""

    images: np.ndarray
    unreadable: dict[str, str]


def decoded_images(source: Stored, names: Sequence[str], look: Look, memory_bytes: int) -> Decoded:
    """The images of these files, from the cache or decoded into it.

    More than `memory_bytes` stay in the file and come as a read-only `numpy.memmap`. Without a folder that can be
    written, they are decoded into memory. Raises DataError when they are too many for that.
    """
    try:
        key = [look.state(), source.marks(names)]
        found = cached("images", key, lambda: _decode(source, names, look), memory_bytes)
    except UNUSABLE as error:
        needed = len(names) * look.bytes
        if needed > memory_bytes:
            raise DataError(
                f"{source.path}: {len(names):,} images of {look.height} x {look.width} need {needed >> 20:,} MiB, and "
                f"the cache folder {cache_folder()} cannot keep them: {getattr(error, 'strerror', None) or error}",
                hint="name another folder in $DLRUN_CACHE, or make the images smaller",
            ) from error
        found = in_memory(_decode(source, names, look))
    return Decoded(found.arrays["image"], found.facts["unreadable"])


def _decode(source: Stored, names: Sequence[str], look: Look) -> Chunks:
    """The images one by one, and the reason for each that cannot be read."""
    yield "image", np.empty((0, *look.shape), "uint8")
    unreadable = {}
    for name, found in zip(names, decode_all(source, names, look), strict=True):
        if isinstance(found, str):
            unreadable[name] = found
        else:
            yield "image", found[None]
    return {"unreadable": unreadable}
