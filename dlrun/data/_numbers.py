"""Rows of numbers from the user's files or memory, for `predict`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.data._npz import members, read_array, read_npy
from dlrun.data._text_files import read_text
from dlrun.errors import DataError, listing


def read_numbers(source: str | Path, columns: int, *, key: str) -> np.ndarray:
    """Numbers `(rows, columns)`, float64, from a .npy, .npz (the array named `key`, or the only one) or text file.

    Raises DataError naming file, row and column.
    """
    if Path(source).suffix.lower() in (".npy", ".npz"):
        return number_rows(_read_arrays(Path(source), key), columns, str(source))
    return _finite(_read_lines(source, columns), str(source))


def number_rows(values: Any, columns: int, place: str) -> np.ndarray:
    """Numbers `(rows, columns)`, float64, from an array `(rows, ...)`, one row, or what becomes such an array.

    Raises DataError naming `place`, row and column.
    """
    try:
        values = np.asarray(values)
    except ValueError as error:  # rows of differing length
        raise DataError(f"{place}: the rows have different lengths") from error
    if values.dtype.kind not in "biuf":
        raise DataError(f"{place}: the array holds no numbers", received=f"dtype {values.dtype}")
    if not (values.ndim and values[:1].size == columns):
        if values.size != columns:
            raise DataError(
                f"{place}: the array has rows of the wrong size",
                received=f"shape {values.shape}",
                expected=f"{columns} values in a row",
            )
        values = values.reshape(1, columns)
    return _finite(values.reshape(len(values), columns).astype("float64"), place)


def _finite(values: np.ndarray, place: str) -> np.ndarray:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(f"{place}: row {row + 1}, column {column + 1}: {values[row, column]} is not a finite number")
    return values


def _read_arrays(path: Path, key: str) -> np.ndarray:
    if path.suffix.lower() == ".npy":
        return read_npy(path)
    names = members(path)
    if key not in names and len(names) != 1:
        raise DataError(f"{path}: there is no array named {key}", received=listing(names) or "an empty file")
    return read_array(path, key if key in names else names[0])


def _read_lines(source: str | Path, columns: int) -> np.ndarray:
    text = read_text(source)
    delimiter = "\t" if "\t" in text else ";" if ";" in text else ","
    rows: list[list[float]] = []
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    for cells in reader:
        if not cells:
            continue
        if len(cells) != columns:
            raise DataError(
                f"{source}:{reader.line_num}: the row has {len(cells)} values", expected=f"{columns} values in a row"
            )
        rows.append([_number(cell, f"{source}:{reader.line_num}", place) for place, cell in enumerate(cells, 1)])
    if not rows:
        raise DataError(f"{source}: the file has no rows")
    return np.array(rows)


def _number(cell: str, place: str, column: int) -> float:
    try:
        return float(cell)
    except ValueError:
        raise DataError(f"{place}: column {column}: {cell!r} is not a number") from None
