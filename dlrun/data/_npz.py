"""Arrays in .npz, .npy and pickle files, ragged rows included, read without running anything a file may contain."""

from __future__ import annotations

import itertools
import math
import pickle
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlrun.data._archives import check_plain, open_zip
from dlrun.data._pickles import unpickle
from dlrun.errors import DataError, listing
from dlrun.files import first_line

MOST_BYTES = 256 * 2**20  # unpacked, of one member; the largest known is 14 MB
MOST_HEADER_BYTES = 2**16  # shape and dtype, which take 128 bytes
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    MemoryError,  # a header may promise any size
    RecursionError,  # and be nested to any depth
    SyntaxError,
    tokenize.TokenError,
)


def read_ragged(path: Path, member: str, dtype: str = "int32") -> list[np.ndarray]:
    """Rows of integers of differing length, each `(length,)`, from an object array in an .npz file.

    Raises DataError when the file is damaged, holds anything else, or wants to run code.
    """
    rows = _read(path, member, _read_objects)
    try:
        lengths = np.fromiter(map(len, rows), "int64", len(rows))
        if lengths.sum() * np.dtype(dtype).itemsize > MOST_BYTES:  # one list may stand in many rows
            raise DataError(f"{path}: the rows of {member} are longer than {MOST_BYTES >> 20} MiB together")
        flat = np.fromiter(itertools.chain.from_iterable(rows), dtype, int(lengths.sum()))
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: {member} does not hold rows of integers: {error}") from error
    return np.split(flat, np.cumsum(lengths)[:-1])


def read_pickled(place: str, content: bytes) -> Any:
    """What a pickle of dicts, lists, integers and arrays holds; texts that Python 2 wrote come as bytes.

    Raises DataError, naming `place`, when it is damaged, holds anything else, or wants to run code.
    """
    try:
        return unpickle(content)
    except DAMAGED as error:
        raise _damaged(place, error) from error


def read_array(path: Path, member: str, most_bytes: int | None = None) -> np.ndarray:
    """A numeric array from an .npz file, of `MOST_BYTES` or `most_bytes` unpacked at most. Raises DataError."""
    return np.asarray(_read(path, member, _read_plain, most_bytes))


def read_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of every array in an .npz file, by name; no array is read. Raises DataError."""
    return {member: _read(path, member, _header, sys.maxsize) for member in members(path)}


def members(path: Path) -> list[str]:
    """The names of the arrays in an .npz file. Raises DataError."""
    try:
        with open_zip(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except DAMAGED as error:
        raise _damaged(path, error) from error


def read_npy(path: Path) -> np.ndarray:
    """The numeric array in an .npy file. Raises DataError."""
    check_plain(path)
    try:
        with path.open("rb") as file:
            return _read_plain(file, path.stat().st_size)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except DAMAGED as error:
        raise _damaged(path, error) from error


def _damaged(place: Path | str, error: BaseException) -> DataError:
    reason = "it asks for more memory than there is" if isinstance(error, MemoryError) else first_line(error)
    return DataError(f"{place}: the file is damaged or not what it should be: {reason}", hint="get it anew")


def _read(path: Path, member: str, read: Callable[[IO[bytes], int], Any], most_bytes: int | None = None) -> Any:
    most_bytes = most_bytes or MOST_BYTES
    try:
        with open_zip(path) as archive:
            if f"{member}.npy" not in archive.namelist():
                found = [name.removesuffix(".npy") for name in archive.namelist()]
                raise DataError(f"{path}: there is no array {member}", received=listing(found) or "an empty file")
            size = archive.getinfo(f"{member}.npy").file_size
            if size > most_bytes:
                raise DataError(f"{path}: the array {member} is larger than {most_bytes >> 20} MiB")
            with archive.open(f"{member}.npy") as file:
                return read(file, size)
    except DAMAGED as error:
        raise _damaged(path, error) from error


def _read_plain(file: IO[bytes], size: int) -> np.ndarray:
    """The numeric array in an open .npy file of so many bytes, whose header may promise no more than there is."""
    shape, dtype = _header(file)
    there = size - file.tell()
    promised = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and (promised > there or min(shape, default=0) < 0 or not dtype.itemsize):
        raise ValueError(f"an array of {dtype} with shape {shape} in {there:,} bytes")
    file.seek(0)
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _header(file: IO[bytes], _size: int = 0) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    start = file.tell()
    length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
    if length > MOST_HEADER_BYTES:
        raise ValueError(f"a header of {length:,} bytes")
    file.seek(start)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    return shape, dtype


def _read_objects(file: IO[bytes], _size: int) -> list[Any]:
    shape, dtype = _header(file)
    if dtype != np.dtype("O") or len(shape) != 1:
        raise ValueError(f"an array of {dtype} with shape {shape} where rows of differing length were expected")
    rows = unpickle(file.read())
    if not isinstance(rows, list) or (len(rows),) != shape:
        raise ValueError(f"no array of shape {shape}")
    return rows
