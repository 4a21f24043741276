"""CSV files of time series: encoding and date column found, rows in order of time, gaps filled and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from dlrun.data._cache import Chunks, cached_if_worth
from dlrun.data._columns import find_column, numbers
from dlrun.data._csv_files import MISSING, Form, Table, is_number, read_table
from dlrun.data._times import times
from dlrun.errors import DataError, did_you_mean, listing

LONG_STEP = 1.5  # times the usual one: a gap


@dataclass(frozen=True)
class SeriesForm:
    """How the file is written: `encoding` and `delimiter` as given or `auto`; `date` a name, a number, auto or None."""

    date: str | int | None = "auto"
    header: bool | str = "auto"
    delimiter: str = "auto"
    encoding: str = "auto"
    missing: Sequence[str] = MISSING
    decimal: str = "."


@dataclass
class Series:
    """A series in order of time: `values` `(positions, columns)` float32, `known` whether each was in the file.

    The first columns are the `inputs`. `dates` are the texts of the date column, empty without one. `decimal` is the
    mark in the numbers of the file.
    """

    inputs: list[str]
    columns: list[str]
    values: np.ndarray
    known: np.ndarray
    dates: list[str]
    notes: list[str] = field(default_factory=list)
    decimal: str = "."


def read_series(
    source: str | Path,
    form: SeriesForm,
    *,
    columns: Sequence[str | int] = (),
    target: str | int | None = None,
) -> tuple[Series, str]:
    """The `columns` of a file (empty: all of numbers) and the `target`, last unless it is one of them, with its name.

    Raises DataError naming file, row and column.
    """
    table, notes = _read(source, form, [name for name in (*columns, target) if isinstance(name, str)])
    return series_of(table, notes, form.date, columns=columns, target=target)


def cached_series(
    source: Path, form: SeriesForm, columns: Sequence[str | int], target: str | int
) -> tuple[Series, str]:
    """As `read_series`, from the cache if the file is large."""

    def read() -> Chunks:
        series, goal = read_series(source, form, columns=columns, target=target)
        yield "values", series.values
        yield "known", series.known
        names = ("inputs", "columns", "dates", "notes", "decimal")
        return {name: getattr(series, name) for name in names} | {"goal": goal}

    found = cached_if_worth("series", [source], [asdict(form), list(columns), target], read)
    facts = dict(found.facts)
    goal = facts.pop("goal")
    return Series(values=found.arrays["values"], known=found.arrays["known"], **facts), goal


def series_of(
    table: Table,
    notes: list[str],
    date: str | int | None,
    *,
    columns: Sequence[str | int] = (),
    target: str | int | None = None,
) -> tuple[Series, str]:
    """As `read_series`, of a table; `date` is that of `SeriesForm`, and `notes` are added to."""
    date = _date_column(table, date)
    wanted = [find_column(table, column, ("data", "columns")) for column in columns]
    goal = "" if target is None else find_column(table, target, ("data", "target"))
    inputs = list(dict.fromkeys(wanted)) or _number_columns(table, date, notes)
    names = inputs + ([goal] if goal and goal not in inputs else [])
    if date in names:
        raise DataError(
            f"{table.source}: the column {date!r} is the date, so it is no column of numbers", key=("data", "columns")
        )
    values = np.column_stack([_numbers(table, name) for name in names])
    dates, order = _in_time(table, date, notes)
    values = values[order]
    known = ~np.isnan(values)
    _fill(table, names, values, known, notes)
    dates = [dates[i] for i in order] if dates else []
    return Series(inputs, names, values.astype("float32"), known, dates, notes, table.form.decimal), goal


def _read(source: str | Path, form: SeriesForm, names: Sequence[str]) -> tuple[Table, list[str]]:
    """The table of text; `encoding: auto` is UTF-8, or Latin-1 when it is not, with a note."""
    encoding = "utf-8" if form.encoding == "auto" else form.encoding
    wanted = Form(form.delimiter, form.header, encoding, form.missing, form.decimal)
    try:
        return read_table(source, wanted, names), []
    except DataError as error:
        if form.encoding != "auto" or not isinstance(error.__cause__, UnicodeDecodeError):
            raise
    table = read_table(source, replace(wanted, encoding="latin-1"), names)
    return table, [f"{Path(source).name} is not UTF-8, so it is read as Latin-1 (data.encoding)"]


def _date_column(table: Table, wanted: str | int | None) -> str | None:
    if wanted is None:
        return None
    if wanted != "auto":
        return find_column(table, wanted, ("data", "date"))
    for name, cells in table.columns.items():
        if not any(map(is_number, cells[:20])):
            try:
                times(np.array(cells[:20], object), name)
            except DataError:
                continue
            return name if any(cells[:20]) else None
    return None


def _number_columns(table: Table, date: str | None, notes: list[str]) -> list[str]:
    """All columns that hold numbers in most rows; the others are left out with a note."""
    missing, found = set(table.form.missing), []
    for name, cells in table.columns.items():
        if name == date:
            continue
        filled = [cell for cell in cells if cell not in missing]
        if filled and 2 * sum(map(is_number, filled)) > len(filled):
            found.append(name)
        else:
            notes.append(f"column {name!r} is left out: it {'holds text' if filled else 'has no value in any row'}")
    if not found:
        raise DataError(f"{table.source}: no column holds numbers", received=listing(table.columns))
    return found


def _numbers(table: Table, name: str) -> np.ndarray:
    return numbers(table, name, "name the columns to use in data.columns")


def _in_time(table: Table, date: str | None, notes: list[str]) -> tuple[list[str], np.ndarray]:
    """The dates as written, and the row indices in order of time; notes on disorder, duplicates and gaps."""
    everything = np.arange(table.rows)
    if date is None:
        return [], everything
    cells = table.columns[date]
    try:
        moments = times(np.array(cells, object), date)
    except DataError as error:
        raise _unreadable(table, date, error) from error
    empty = np.flatnonzero(np.isnan(moments))
    if len(empty):
        raise DataError(
            f"{table.place(int(empty[0]), date)}: the date is missing",
            hint="leave the row out, or set data.date: null if the rows are in order of time",
        )
    steps, order = np.diff(moments), everything
    if (steps < 0).any():
        first = int(np.argmax(steps < 0)) + 1
        notes.append(f"{table.place(first, date)}: the rows are not in order of time; they are sorted by {date!r}")
        order = np.argsort(moments, kind="stable")
        steps = np.diff(moments[order])
    if (steps == 0).any():
        first = cells[order[int(np.argmax(steps == 0))]]
        notes.append(f"{table.source}: {int((steps == 0).sum()):,} dates occur more than once, the first is {first}")
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    long = steps > LONG_STEP * usual
    if usual and long.any():
        first = cells[order[int(np.argmax(long))]]
        text = f"{table.source}: {int(long.sum()):,} gaps in time, the first after {first}"
        notes.append(f"{text}; windows go on across them (the usual step is {_duration(usual)})")
    return cells, order


def _unreadable(table: Table, date: str, error: DataError) -> DataError:
    """The error for the first date that is not written as those above it."""
    cells = table.columns[date]
    low, high = 0, len(cells)  # the first `low` cells can be read together, the first `high` cannot
    while high - low > 1:
        middle = (low + high) // 2
        try:
            times(np.array(cells[:middle], object), date)
            low = middle
        except DataError:
            high = middle
    return DataError(
        f"{table.place(high - 1, date)}: {cells[high - 1]!r} is no date written as those above it",
        key=("data", "date"),
        expected=error.problems[0].expected,
        hint=did_you_mean("date", table.columns) if high == 1 else None,
    )


def _fill(table: Table, names: Sequence[str], values: np.ndarray, known: np.ndarray, notes: list[str]) -> None:
    """Carry the last known value forward, in place, with a note. Raises DataError where there is none before."""
    for place, name in enumerate(names):
        count = int((~known[:, place]).sum())
        if not count:
            continue
        if not known[0, place]:
            raise DataError(
                f"{table.source}: column {name!r} has no value in the first row, so there is none to carry forward",
                received=f"{count:,} missing values in {len(values):,} rows",
                hint="leave the first rows out, or name the columns to use in data.columns",
            )
        last = np.maximum.accumulate(np.where(known[:, place], np.arange(len(values)), 0))
        values[:, place] = values[last, place]
        notes.append(f"column {name!r} has {count:,} missing values; the last known one is carried forward")


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} seconds"
