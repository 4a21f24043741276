"""Things side by side: a row for each where that fits the terminal, else a column for each, in several tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlrun.cli._output import plain_table

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_GAP = 2
_MOST = 40  # characters of a cell in one line

Fields = list[tuple[str, list["Text"]]]  # what a property is called, and its value for each thing


def fits_in_rows(fields: Fields, width: int) -> bool:
    """Whether a row for each thing fits."""
    widths = [max(len(label), *(cell.cell_len for cell in cells)) for label, cells in fields]
    return max(widths) <= _MOST and sum(widths) + _GAP * (len(widths) - 1) <= width


def in_rows(fields: Fields, left: Sequence[str]) -> Table:
    """A row for each thing; the fields named in `left` are aligned to the left."""
    table = plain_table(*(label for label, _ in fields), left=tuple(left))
    for row in zip(*(cells for _, cells in fields), strict=True):
        table.add_row(*row)
    return table


def in_columns(fields: Fields, width: int) -> Iterator[Table]:
    """A column for each thing under its first field; as many tables as the width asks for."""
    from rich.markup import escape

    (head, names), *others = fields
    labels = max(len(label) for label, _ in fields)
    widths = [min(_MOST, max(cells[place].cell_len for _, cells in fields)) for place in range(len(names))]
    start = 0
    while start < len(names):
        end, left = start + 1, width - labels - _GAP - widths[start]
        while end < len(names) and left >= widths[end] + _GAP:
            left -= widths[end] + _GAP
            end += 1
        table = plain_table()
        table.show_header = True
        table.add_column(head, no_wrap=True)
        for place in range(start, end):
            table.add_column(names[place], justify="right", overflow="fold", max_width=_MOST)
        for label, cells in others:
            table.add_row(escape(label), *cells[start:end])
        yield table
        start = end
