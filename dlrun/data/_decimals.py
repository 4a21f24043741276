"""Numbers with a decimal comma, as in `1,5;2,7`: found, and brought to the form with a point."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dlrun.errors import DataError

_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_PLAIN = re.compile(r"[+-]?\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_MAYBE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


def has_comma(cell: str) -> bool:
    """Whether a cell is a number with a decimal comma."""
    return _COMMA.fullmatch(cell) is not None


def find_decimal(columns: Sequence[Sequence[str]], missing: Sequence[str], source: str) -> str:
    """The decimal mark of the columns' numbers, `.` or `,`; first cells may be names and are not looked at.

    Raises DataError when commas may be decimal marks and may be not.
    """
    commas, points = list[str](), list[str]()
    for column in columns:
        cells = set(column[1:]).difference(missing)
        found = {form: [cell for cell in cells if form.fullmatch(cell)] for form in (_COMMA, _PLAIN, _POINT)}
        if sum(map(len, found.values())) == len(cells):
            commas += found[_COMMA]
            points += found[_POINT]
    if not commas:
        return "."
    if points or all(map(_MAYBE_THOUSANDS.fullmatch, commas)):
        examples = " and ".join(repr(cell) for cell in (min(commas), *sorted(points)[:1]))
        raise DataError(
            f"{source}: the commas in its numbers may be decimal marks, or divide thousands",
            key=("data", "decimal"),
            received=examples,
            hint="state it: data.decimal: ',' for decimal commas, '.' to leave such cells as texts",
        )
    return ","


def with_points(cells: Sequence[str]) -> list[str]:
    """The cells of a column, decimal commas made points."""
    return [cell.replace(",", ".") if has_comma(cell) else cell for cell in cells]


def check_one_mark(cells: Sequence[str], place: Callable[[int], str]) -> None:
    """Raises DataError when some numbers of a column have a comma and others a point; `place` tells where a row is."""
    comma = next(filter(has_comma, cells), None)
    row = next((row for row, cell in enumerate(cells) if _POINT.fullmatch(cell)), None)
    if comma is not None and row is not None:
        raise DataError(
            f"{place(row)}: {cells[row]!r} has a point, and {comma!r} a comma",
            key=("data", "decimal"),
            expected="one decimal mark in a column, and no marks between thousands",
        )
