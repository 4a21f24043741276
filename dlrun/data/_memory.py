"""Rows that the user has in memory, such as a DataFrame, as the tables of text that files become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.data._csv_files import Form, Table, is_number
from dlrun.data._decimals import with_points
from dlrun.errors import DataError

SOURCE = "the given rows"
_TRUTH = {"true": True, "false": False}
Names = Callable[[str, int], Sequence[str]]  # of columns without names, by the source of the rows and their number
Spelling = Callable[[str, Any], str]  # the text of a value that is neither missing nor text, by its column


def memory_table(
    values: Any, form: Form, *, wanted: Iterable[str], spelling: Spelling, names: Names | None = None
) -> Table:
    """A DataFrame, a mapping of columns, a list of mappings, or rows without names, as a table of text.

    Of the columns those that are `wanted` are kept; `names` are those of rows without names. Raises DataError.
    """
    columns = named_columns(values)
    if columns is None:
        columns = _by_place(values, names)
    missing = next(iter(form.missing), "")
    texts = {
        name: [
            missing if gap else cell.strip() if isinstance(cell, str) else spelling(name, cell)
            for cell, gap in _cells(columns[name])
        ]
        for name in (name for name in columns if name in set(wanted))
    }
    lengths = {name: len(cells) for name, cells in texts.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"{SOURCE}: the columns have different lengths",
            received=", ".join(f"{name}: {count:,}" for name, count in lengths.items()),
        )
    if form.decimal == ",":
        texts = {name: with_points(cells) for name, cells in texts.items()}
    return Table(SOURCE, texts, True, form, "")


def named_columns(values: Any) -> Mapping[str, Any] | None:
    """The columns of a DataFrame, a mapping (of columns, or one row) or a list of mappings; None when they have no
    names.
    """
    if isinstance(values, Mapping):
        row = not any(hasattr(column, "__len__") and not isinstance(column, str) for column in values.values())
        return {str(name): [column] if row else column for name, column in values.items()}
    if hasattr(values, "columns"):
        named = any(isinstance(name, str) for name in values.columns)  # header=None numbers them
        return {str(name): values[name] for name in values.columns} if named else None
    if isinstance(values, Sequence) and values and all(isinstance(row, Mapping) for row in values):
        names = {name: None for row in values for name in row}  # of all rows, in order
        return {str(name): [row.get(name) for row in values] for name in names}
    return None


def named_files(values: Any, *, texts: bool) -> list[str] | None:
    """The files that values in memory name: a path, or a list of paths; None when they are rows themselves.

    `texts` says that a string in a list is a row. Raises DataError for a text that is not in a list.
    """
    single = isinstance(values, str | Path)
    items = [values] if single else values
    if not (isinstance(items, list | tuple) and items and all(isinstance(item, str | Path) for item in items)):
        return None
    if texts and not single and isinstance(items[0], str):
        return None
    if texts and isinstance(values, str) and not _is_there(values):
        raise DataError(f"{values[:60]!r}: there is no such file", hint="one text is given in a list: predict([text])")
    return [str(item) for item in items]


def _is_there(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a name
        return False


def number_text(value: Any) -> str:
    """A number as a file holds it; anything else as Python writes it."""
    return repr(float(value)) if isinstance(value, Real | np.bool_) else str(value)


def meaning(value: Any) -> tuple[bool, float] | None:
    """What makes a truth value or a number, or the text of one, equal to another; None for all else."""
    if isinstance(value, str):
        value = float(value) if is_number(value) else _TRUTH.get(value.lower())
    if isinstance(value, bool | np.bool_):
        return True, float(value)
    return (False, float(value)) if isinstance(value, Real) else None


def _cells(column: Any) -> Iterable[tuple[Any, bool]]:
    """The values of a column, and whether each is missing."""
    cells = list(column)
    # pandas.NA is equal to nothing and has no truth value, so pandas itself is asked.
    gaps = column.isna() if hasattr(column, "isna") else [cell is None or bool(cell != cell) for cell in cells]
    return zip(cells, gaps, strict=True)


def _by_place(values: Any, names: Names | None) -> dict[str, Any]:
    """Columns of rows without names."""
    rows = np.asarray(values) if hasattr(values, "shape") else np.asarray(values, object)
    if rows.ndim != 2 or names is None:
        raise DataError(
            f"{SOURCE}: this is no table",
            received=f"{type(values).__name__} of shape {rows.shape}",
            expected="a DataFrame, a dict of columns, or a list of rows",
        )
    return dict(zip(names(SOURCE, rows.shape[1]), rows.T.tolist(), strict=True))
