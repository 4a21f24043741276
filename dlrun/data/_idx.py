"""Arrays in MNIST's idx format, compressed or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from dlrun.data._archives import check_plain
from dlrun.errors import DataError
from dlrun.files import first_line

UINT8 = 8  # the type code of unsigned bytes, the only one that images come in
MOST_DIMENSIONS = 8
MOST_BYTES = 2**28  # of one file; the largest known has 47 MB


def read_idx(path: Path) -> np.ndarray:
    """The array of unsigned bytes in an idx file (`.gz` or not). Raises DataError.

    Format: two zero bytes, the type, the number of dimensions, each dimension as big-endian 32-bit integer, the
    values (LeCun, The MNIST database, file formats).
    """
    check_plain(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the file cannot be read: {first_line(error)}") from error
    start = 4 + 4 * (content[3] if len(content) > 3 else 0)
    shape = tuple(np.frombuffer(content[4:start], ">i4").tolist()) if len(content) >= start > 4 else ()
    known = content[:3] == bytes([0, 0, UINT8]) and 0 < len(shape) <= MOST_DIMENSIONS and min(shape) >= 0
    if not known or len(content) != start + math.prod(shape):
        raise DataError(
            f"{path}: this is no whole idx file of unsigned bytes",
            received=f"{len(content):,} bytes, beginning {content[:4].hex(' ') or 'with nothing'}",
            expected="00 00 08, the number of dimensions, the dimensions, one byte per value",
        )
    return np.frombuffer(content, "uint8", offset=start).reshape(shape)
