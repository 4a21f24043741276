"""Arrays in .npz, .npy and pickle files, ragged rows included, read without running anything a file may contain."""

from __future__ import annotations

import itertools
import pickle
import sys
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlrun.data._pickles import unpickle
from dlrun.errors import DataError, listing
from dlrun.files import first_line

MOST_BYTES = 256 * 2**20  # unpacked, of one member; the largest known is 14 MB
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
    read = partial(np.lib.format.read_array, allow_pickle=False)
    return np.asarray(_read(path, member, read, most_bytes))


def read_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of every array in an .npz file, by name; no array is read. Raises DataError."""
    return {member: _read(path, member, _header, sys.maxsize) for member in members(path)}


def members(path: Path) -> list[str]:
    """The names of the arrays in an .npz file. Raises DataError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except DAMAGED as error:
        raise _damaged(path, error) from error


def read_npy(path: Path) -> np.ndarray:
    """The numeric array in an .npy file. Raises DataError."""
    try:
        with path.open("rb") as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except DAMAGED as error:
        raise _damaged(path, error) from error


def _damaged(place: Path | str, error: BaseException) -> DataError:
    reason = "it asks for more memory than there is" if isinstance(error, MemoryError) else first_line(error)
    return DataError(f"{place}: the file is damaged or not what it should be: {reason}", hint="get it anew")


def _read(path: Path, member: str, read: Callable[[IO[bytes]], Any], most_bytes: int | None = None) -> Any:
    most_bytes = most_bytes or MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{member}.npy" not in archive.namelist():
                found = [name.removesuffix(".npy") for name in archive.namelist()]
                raise DataError(f"{path}: there is no array {member}", received=listing(found) or "an empty file")
            if archive.getinfo(f"{member}.npy").file_size > most_bytes:
                raise DataError(f"{path}: the array {member} is larger than {most_bytes >> 20} MiB")
            with archive.open(f"{member}.npy") as file:
                return read(file)
    except DAMAGED as error:
        raise _damaged(path, error) from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    return shape, dtype


def _read_objects(file: IO[bytes]) -> list[Any]:
    shape, dtype = _header(file)
    if dtype != np.dtype("O") or len(shape) != 1:
        raise ValueError(f"an array of {dtype} with shape {shape} where rows of differing length were expected")
    rows = unpickle(file.read())
    if not isinstance(rows, list) or (len(rows),) != shape:
        raise ValueError(f"no array of shape {shape}")
    return rows
