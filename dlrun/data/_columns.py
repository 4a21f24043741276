"""Columns of text turned into numbers and categories, and what to make of each column."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence

import numpy as np

from dlrun.data._csv_files import Table, is_number
from dlrun.data._decimals import has_comma
from dlrun.errors import DataError, Key, did_you_mean, listing

MOST_CATEGORIES = 1000


def find_column(table: Table, wanted: str | int, key: Key) -> str:
    """The name of a column given by name or by number (from 1, or from -1 backwards). Raises DataError."""
    names = list(table.columns)
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        if wanted != 0 and -len(names) <= wanted <= len(names):
            return names[wanted - 1 if wanted > 0 else wanted]
        raise DataError(
            f"{table.source}: there is no column {wanted}",
            key=key,
            expected=f"1 to {len(names)}, or -1 for the last one",
        )
    if wanted in table.columns:
        return str(wanted)
    hint = did_you_mean(wanted, names)
    if not table.named:
        hint = "the file has no header: give the column's number, such as -1 for the last one, or set header: true"
    raise DataError(f"{table.source}: there is no column {wanted!r}", key=key, expected=listing(names), hint=hint)


def numbers(table: Table, name: str, remedy: str = "") -> np.ndarray:
    """A column as float64 `(rows,)`, NaN where missing; `remedy` is the advice when that cannot be.

    Raises DataError at the first cell that is no finite number.
    """
    column, missing = table.columns[name], set(table.form.missing)
    values = {cell: math.nan if cell in missing else _finite(cell) for cell in set(column)}
    if None in values.values():
        row = next(row for row, cell in enumerate(column) if values[cell] is None)
        remedy = remedy or f"set data.columns: {{{name}: categorical}}"
        if has_comma(column[row]):
            remedy = "set data.decimal: ',' if the comma is a decimal mark"
        shown = reprlib.repr(column[row])  # of a long cell its ends
        raise DataError(
            f"{table.place(row, name)}: {shown} is no {'finite ' if is_number(column[row]) else ''}number",
            hint=f"add it to data.missing if it means that nothing is there, or {remedy}",
        )
    return np.fromiter(map(values.__getitem__, column), "float64", len(column))


def _finite(cell: str) -> float | None:
    """The number in a cell, None when it holds none."""
    value = float(cell) if is_number(cell) else math.inf
    return value if math.isfinite(value) else None


def categories(table: Table, name: str) -> np.ndarray:
    """A column as object array `(rows,)` of text, None where missing; equal texts are one object."""
    column, missing = table.columns[name], set(table.form.missing)
    values = {cell: None if cell in missing else cell for cell in set(column)}
    found = np.empty(len(column), object)
    found[:] = [values[cell] for cell in column]
    return found


def column_kind(table: Table, name: str) -> tuple[str, str]:
    """`numeric` or `categorical`, and the reason to ignore the column, if any. Raises DataError when it is empty."""
    column = table.columns[name]
    known = set(column).difference(table.form.missing)
    if not known:
        raise DataError(
            f"{table.source}: column {name!r} has no value in any row",
            received=f"{len(column):,} missing values",
            hint=f"leave it out: data.drop: [{name}]",
        )
    if all(map(is_number, known)):
        return "numeric", "it numbers the rows" if _numbers_rows(column, known) else ""
    filled = len(column) - sum(map(column.count, set(column) & set(table.form.missing)))
    if len(known) > MOST_CATEGORIES or (len(known) > 20 and len(known) > 0.5 * filled):
        return "categorical", f"{len(known):,} different texts in {filled:,} rows"
    return "categorical", ""


def _numbers_rows(column: Sequence[str], known: set[str]) -> bool:
    """Whether the values are consecutive whole numbers, each once: a row number or key."""
    if len(known) != len(column) or len(column) < 20 or not all(cell.isdecimal() and len(cell) < 19 for cell in known):
        return False
    whole = [int(cell) for cell in known]
    return max(whole) - min(whole) + 1 == len(whole)
