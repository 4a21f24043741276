"""Dates and times in a column, brought into order."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from dlrun.errors import DataError

# Tried in this order on all values; one that fits them all is used. Month-first comes last, so 01/02/2024 is February.
FORMATS = (
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
)


def time_order(values: np.ndarray, column: str) -> np.ndarray:
    """Indices `(rows,)` that sort the values by time, stable; numbers, ISO dates and common written forms.

    Raises DataError when a value is missing or the form is unknown.
    """
    numbers = times(values, column)
    missing = np.flatnonzero(np.isnan(numbers))
    if len(missing):
        raise DataError(f"column {column!r} has no time in row {missing[0] + 1}", key=("split", "time"))
    return np.argsort(numbers, kind="stable")


def times(values: np.ndarray, column: str) -> np.ndarray:
    """Times `(rows,)` as numbers, seconds where they are dates; NaN where missing. Raises DataError as `time_order`."""
    return values if values.dtype.kind in "iuf" else np.array(_parse([_text(value) for value in values], column))


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _seconds(time: datetime) -> float:
    """Seconds since 1970; a time without zone counts as UTC, so that no summer time reorders it."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _parse(texts: list[str], column: str) -> list[float]:
    readers: list[Callable[[str], float]] = [float, lambda text: _seconds(datetime.fromisoformat(text))]
    readers += [lambda text, form=form: _seconds(datetime.strptime(text, form)) for form in FORMATS]  # type: ignore[misc]
    for read in readers:
        try:
            return [read(text) if text else math.nan for text in texts]
        except (ValueError, OverflowError):
            continue
    raise DataError(
        f"the times in column {column!r} have no form that is known",
        key=("split", "time"),
        received=next((text for text in texts if text), "nothing"),
        expected="numbers, ISO dates such as 2024-06-01 12:00, or day.month.year",
    )
