"""CSV files brought into columns of text: delimiter and header found, every row of the same width."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dlrun.data._decimals import check_one_mark, find_decimal, has_comma, with_points
from dlrun.data._text_files import read_text
from dlrun.errors import DataError, listing

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
MOST_COLUMNS = 100_000  # each is a list of texts, a column of the encoder and a line of its state
MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True)
class Form:
    """How a CSV file is written. `delimiter` is a character, a name such as `tab`, or `auto`; so are `header` and
    `decimal`, the mark in numbers.
    """

    delimiter: str = "auto"
    header: bool | str = "auto"
    encoding: str = "utf-8"
    missing: Sequence[str] = MISSING
    decimal: str = "."


@dataclass
class Table:
    """A CSV file: text columns by name in the file's order, cells stripped. `named` says that it has a header;
    `text` is empty for rows that come from no file."""

    source: str
    columns: dict[str, list[str]]
    named: bool
    form: Form
    text: str

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def place(self, row: int, column: str | None = None) -> str:
        """`file:line: column name` of a row counted from 0; `row N` of rows that come from no file."""
        if not self.text:
            return f"{self.source}, row {row + 1}" + (f": column {column}" if column is not None else "")
        wanted = row + self.named
        reader = _reader(self.text, self.form.delimiter)
        for _ in zip(range(wanted + 1), filter(None, reader), strict=False):
            pass
        return f"{self.source}:{reader.line_num}" + (f": column {column}" if column is not None else "")


def is_number(text: str) -> bool:
    """Whether a cell holds a number (`inf` counts, `nan` and `1_000` do not)."""
    return _NUMBER.fullmatch(text) is not None


def read_table(source: str | Path, form: Form, known_names: Iterable[str] = ()) -> Table:
    """The columns of a CSV file. `known_names` are names that a header would hold.

    Raises DataError naming file and line: empty, ragged, binary, wrongly encoded, duplicate names, an open quote.
    """
    text = _without_comment(read_text(source, form.encoding))
    if not text.strip():
        raise DataError(f"{source}: the file is empty")
    delimiter = DELIMITERS.get(form.delimiter, form.delimiter)
    if delimiter == "auto":
        delimiter = _find_delimiter(str(source), text)
    if len(delimiter) != 1:
        raise DataError(
            f"{form.delimiter!r} is no delimiter",
            key=("data", "delimiter"),
            expected=f"one character, auto, {', '.join(DELIMITERS)}",
        )
    cells = _read_cells(str(source), text, delimiter)
    if len(cells[0]) > MOST_COLUMNS:
        raise DataError(
            f"{source}: a row has {len(cells[0]):,} cells",
            expected=f"at most {MOST_COLUMNS:,} columns",
            hint="state data.delimiter, or read such data as arrays: data: {name: npz}",
        )
    columns = [[cell.strip() for cell in column] for column in zip(*cells, strict=True)]
    decimal = form.decimal
    if decimal == "auto":
        decimal = find_decimal(columns, form.missing, str(source)) if delimiter != "," else "."
    form = Form(delimiter, form.header, form.encoding, tuple(form.missing), decimal)
    written = columns
    if decimal == ",":
        columns = [with_points(column) for column in columns]
    named = form.header if isinstance(form.header, bool) else _has_header(columns, set(known_names), form.missing)
    names = _names([column.pop(0) for column in columns], str(source)) if named else []
    names = names or [f"column_{place + 1}" for place in range(len(columns))]
    if not columns[0]:
        raise DataError(f"{source}: the file has a header but no rows")
    table = Table(str(source), dict(zip(names, columns, strict=True)), named, form, text)
    if decimal == ",":
        for name, column in zip(names, written, strict=True):
            check_one_mark(column[named:], partial(table.place, column=name))
    return table


def _without_comment(text: str) -> str:
    """The text without a first line such as Adult's `|1x3 Cross validator`."""
    first, _, rest = text.partition("\n")
    return f"\n{rest}" if first.startswith(("|", "#")) and "," not in first and rest else text


def _reader(text: str, delimiter: str) -> Any:
    lines: Iterable[str] = io.StringIO(text)
    if delimiter == " ":  # any white space, as in UCI's older files
        lines = (" ".join(line.split()) for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _read_cells(source: str, text: str, delimiter: str) -> list[list[str]]:
    reader = _reader(text, delimiter)
    try:
        cells = [row for row in reader if row]
    except csv.Error as error:
        raise DataError(
            f"{source}:{reader.line_num}: the file cannot be read as CSV: {error}",
            hint="look for a quote that is not closed",
        ) from error
    widths = Counter(map(len, cells))
    if len(widths) > 1:
        raise _ragged(source, text, delimiter, len(cells[0]))
    return cells


def _ragged(source: str, text: str, delimiter: str, width: int) -> DataError:
    """The error for the first row whose width is not that of the first row."""
    reader = _reader(text, delimiter)
    before = 0
    for row in reader:
        line = reader.line_num
        if row and len(row) != width:
            break
        before = line
    spread = f", spread over lines {before + 1} to {line}" if line > before + 1 else ""
    return DataError(
        f"{source}:{before + 1}: the row has {len(row)} cells, the first row has {width}",
        received=listing([repr(cell[:20]) for cell in row], 4) + spread,
        hint="look for a quote that is not closed" if spread else "look for a delimiter too much or too little",
    )


def _find_delimiter(source: str, text: str) -> str:
    """The delimiter that divides the first rows into the same number of cells, more than one."""
    if source.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    lines = text.split("\n", 51)
    sample, cut = "\n".join(lines[:50]), len(lines) > 51
    best, most = ",", 1
    for delimiter in (",", "\t", ";", "|", " "):
        try:
            widths = [len(row) for row in _reader(sample, delimiter) if row][: -1 if cut else None]
        except csv.Error:
            continue
        if not widths or min(widths) != max(widths):
            continue
        # `1,5;2,7` divides at commas too, into more cells.
        numbers = best == "," and delimiter != " " and max(widths) > 1 and _decimal_commas(sample, delimiter)
        if (max(widths) > most and (most == 1 or delimiter != " ")) or numbers:
            best, most = delimiter, max(widths)
    if most == 1 and "," not in sample:
        found = Counter(character for character in sample if character in "\t;|")
        best = found.most_common(1)[0][0] if found else ","
    return best


def _decimal_commas(sample: str, delimiter: str) -> bool:
    """Whether the cells of the last row but one are numbers, and some have a decimal comma."""
    *_, row = [[], *filter(None, list(_reader(sample, delimiter))[:-1])]
    cells = [cell.strip() for cell in row if cell.strip() not in MISSING]
    return any(map(has_comma, cells)) and all(is_number(cell) or has_comma(cell) for cell in cells)


def _has_header(columns: list[list[str]], known: set[str], missing: Sequence[str]) -> bool:
    """Whether the first row holds names: text above numbers, or words that do not occur below."""
    first = [column[0] for column in columns]
    if known & set(first):
        return True
    if len(columns[0]) == 1 or any(map(is_number, first)) or any(cell in missing for cell in first[1:]):
        return False
    if _above_numbers(columns, missing):
        return True
    return len(set(first)) == len(first) and not any(column[0] in column[1:] for column in columns)


def _above_numbers(columns: list[list[str]], missing: Sequence[str]) -> bool:
    ignored = set(missing)
    for column in columns:
        known = [cell for cell in column[1:200] if cell not in ignored]
        if known and all(map(is_number, known)):
            return True
    return False


def _names(first: list[str], source: str) -> list[str]:
    names = [name or f"column_{place + 1}" for place, name in enumerate(first)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = [str(place + 1) for place, name in enumerate(names) if name == twice[0]]
        raise DataError(
            f"{source}:1: two columns have the name {twice[0]!r}",
            received=f"columns {' and '.join(places)}",
            hint="rename one, or set header: false and name columns by number",
        )
    return names
