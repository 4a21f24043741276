"""The user's own time series: a CSV file with a row per moment."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import dlrun
from dlrun.data._dataset import Dataset
from dlrun.data._series import SeriesEncoder
from dlrun.data._series_files import SeriesForm, cached_series
from dlrun.data._series_parts import Windows, bounds_of, row_parts
from dlrun.data._sources import DataContext
from dlrun.errors import DataError
from dlrun.spec import DataPath, Row, Task

_UNIT = re.compile(r"\s*[(\[]([^()\[\]]+)[)\]]$")


@dlrun.dataset("timeseries_csv")
def timeseries_csv(
    context: DataContext,
    *,
    path: DataPath,
    target: str | int,
    lookback: int,
    delay: int,
    step: int = 1,
    date: str | int | None = "auto",
    columns: list[str | int] = [],  # noqa: B006  read as a literal, not changed
    validation: int | float = 0.2,
    test: int | float = 0.2,
    ranges: dict[Literal["training", "validation", "test"], list[Row | None]] = {},  # noqa: B006
    edges: Literal["reach_back", "inside", "book"] = "reach_back",
    max_validation_windows: int | None = None,
    reverse: bool = False,
    normalize: bool = True,
    header: bool | Literal["auto"] = "auto",
    delimiter: str = "auto",
    decimal: Literal["auto", ".", ","] = "auto",
    encoding: str = "auto",
    missing: list[str] = ["", "?", "NA", "N/A", "NaN", "nan", "null", "None"],  # noqa: B006
) -> Dataset:
    """A time series from a .csv, .tsv or .txt file (.gz too): windows of the past in, one later value out.

    `path`: the file, a row per moment. `target`: the column to forecast, by name or by number (from 1, or from -1
    backwards). `columns`: the inputs; empty: all columns of numbers, the target included.
    `lookback`: rows that a window reaches back; `step`: one row in so many is in it; `delay`: how many rows after the
    window's end the target lies. The window of row r is r - lookback, ..., r - step, its target row r + delay
    (DLwP 6.3.2: 1440, 6, 144 are 10 days, hourly, a day ahead).
    `date`: the column with the time, by which rows are sorted (auto: the first of dates; null: rows are in order).
    `validation`, `test`: shares (or numbers) of rows; training comes first in time, then validation, test last.
    `ranges`: rows of the parts instead, from 0 and without the last one: `{training: [0, 200000], validation:
    [200001, 300000], test: [300001, null]}`.
    `edges`: a row belongs to a part when its target lies in it. reach_back: windows of validation and test may begin in
    earlier parts, since the past is known; inside: they may not either; book: as DLwP 6.3.2 prints it, windows stay
    inside, targets may lie up to `delay` rows behind the end of the part.
    `max_validation_windows`: so many at most, evenly spaced. `reverse`: each window backwards in time (DLwP 6.3.8).
    `normalize`: standardise inputs and target by mean and standard deviation of the training rows only; what dlrun
    reports is in original units too.
    `header`, `delimiter`, `decimal`: as for `csv`. `encoding`: auto is UTF-8, else Latin-1.
    `missing`: cells that mean nothing is there; the last known value is carried forward, never as a target.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own csv file", hint="run it without --sample")
    _check_window(lookback, step, delay)
    file = context.locate(path)
    form = SeriesForm(date, header, delimiter, encoding, tuple(missing), decimal)
    series, name = cached_series(file, form, columns, target)
    place = series.columns.index(name)
    notes = ["numbers are read with a decimal comma (data.decimal)"] if series.decimal == "," else []
    values = series.values[:, place]
    bounds = bounds_of(file, len(values), dict(ranges.items()), validation, test)
    windows = Windows(lookback, delay, edges, max_validation_windows)
    rows, parts = row_parts(file, bounds, windows, series.known[:, place])
    task = _UNIT.sub("", name).replace("/", "_") or "target"
    return Dataset(
        name="timeseries_csv",
        raw={"ends": rows},
        shared={"series": series.values[:, : len(series.inputs)], "target": values},
        targets={task: values[rows + delay]},
        encoder=SeriesEncoder(
            columns=series.inputs,
            target=name,
            task=task,
            lookback=lookback,
            step=step,
            delay=delay,
            target_reach=0 if edges == "book" else delay,
            normalize=normalize,
            reverse=reverse,
            form=replace(form, decimal=series.decimal),
        ),
        tasks={task: Task("regression", unit=unit.group(1) if (unit := _UNIT.search(name)) else "")},
        parts=parts,
        files=[file],
        scale_targets=normalize,
        notes=series.notes + notes,
        persistence={task: values[rows - step]},
        in_sequence=True,
    )


def _check_window(lookback: int, step: int, delay: int) -> None:
    for key, value, least in (("lookback", lookback, 1), ("step", step, 1), ("delay", delay, 0)):
        if value < least:
            raise DataError(
                f"data.{key} is too small", key=("data", key), received=str(value), expected=f"at least {least}"
            )
    if lookback % step:
        raise DataError(
            f"data.lookback {lookback} is no multiple of data.step {step}, so the window would not end at its row",
            key=("data", "lookback"),
            hint=f"lookback: {max(step, lookback - lookback % step)}",
        )
