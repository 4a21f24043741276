"""Image files of any kind and size to rows of bytes of one size."""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from dlrun.data._image_files import DAMAGED, MOST_FILE_BYTES, Source
from dlrun.files import first_line

# Imported by name, since Pillow's own loading of its plugins is not made for threads.
PLUGINS = (
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
)
FORMATS = tuple(plugin.format for plugin in PLUGINS)
MOST_PIXELS = 89_478_485  # Pillow's own limit for a bomb (PIL.Image.MAX_IMAGE_PIXELS)
REDUCED_PIXELS = 16_000_000  # larger JPEGs are decoded at a reduced scale
CHUNK = 256  # files whose results wait in memory
UNREADABLE = (
    *DAMAGED,
    SyntaxError,
    struct.error,
    Image.DecompressionBombError,
    MemoryError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    AssertionError,
)
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Look:
    """What every image becomes: `height` x `width` pixels, stretched, in `rgb` or `grayscale`."""

    height: int
    width: int
    color: str
    interpolation: str

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, 3 if self.color == "rgb" else 1

    @property
    def bytes(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


class UnfitImageError(ValueError):
    """An image that is whole but cannot be used."""


def decode_all(source: Source, names: Sequence[str], look: Look) -> Iterator[np.ndarray | str]:
    """For each name in order its image `(height, width, channels)`, uint8, or the reason why there is none."""

    def decode_one(name: str) -> np.ndarray | str:
        try:
            return decode(source.read(name), look)
        except UNREADABLE as error:
            return _reason(error)

    with warnings.catch_warnings(), ThreadPoolExecutor(threads()) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files; what matters is an error
        for start in range(0, len(names), CHUNK):
            yield from pool.map(decode_one, names[start : start + CHUNK])


def threads() -> int:
    """Threads that decode: one for each core this process may use, 8 at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, cores)


def decode(content: bytes, look: Look) -> np.ndarray:
    """An image file `(height, width, channels)`, uint8. Orientation tags and transparency are not looked at.

    Raises one of UNREADABLE.
    """
    if len(content) > MOST_FILE_BYTES:
        raise UnfitImageError(f"the file is larger than {MOST_FILE_BYTES >> 20} MiB")
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        pixels = image.width * image.height
        if pixels > MOST_PIXELS:
            raise UnfitImageError(f"{image.width} x {image.height} are too many pixels, more than {MOST_PIXELS:,}")
        mode = "RGB" if look.color == "rgb" else "L"
        if pixels > REDUCED_PIXELS:
            image.draft(mode, (look.width, look.height))
        plain = _eight_bits(image).convert(mode).resize((look.width, look.height), INTERPOLATIONS[look.interpolation])
    return np.asarray(plain, "uint8").reshape(look.shape)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Images of 16 bits scaled down, which `convert` would cut."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype("uint32").clip(0, 65535) >> 8).astype("uint8"))


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is no image"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has too many pixels, more than {MOST_PIXELS:,}"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return first_line(error) if isinstance(error, OSError | ValueError) else f"it is damaged: {first_line(error)}"
