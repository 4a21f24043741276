"""Which windows of a series train, validate and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlrun.errors import DataError, did_you_mean, listing

PARTS = ("training", "validation", "test")
Bounds = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Windows:
    """The shape of windows, and what they may reach over: `edges` as in `timeseries_csv`."""

    lookback: int
    delay: int
    edges: str
    max_validation: int | None = None


def row_parts(
    file: Path, bounds: Bounds, windows: Windows, known: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The ends of all windows `(rows,)` int32, and the row indices of each part.

    `known` says at which positions the target has a value. Raises DataError when a part has no window.
    """
    ends, parts, start = [], {}, 0
    for part, (first, behind) in bounds.items():
        found = _ends(part, first, behind, len(known), windows)
        found = found[known[found + windows.delay]]
        if not len(found):
            raise _too_short(file, part, behind - first, windows)
        if part == "validation" and windows.max_validation is not None:
            found = _thinned(found, windows.max_validation)
        ends.append(found)
        parts[part] = np.arange(start, start + len(found))
        start += len(found)
    return np.concatenate(ends).astype("int32"), parts


def _ends(part: str, first: int, behind: int, count: int, windows: Windows) -> np.ndarray:
    """The window ends of a part that covers the positions `first` to `behind` - 1."""
    reaching = windows.edges == "reach_back" and part != "training"
    low = max(first, windows.lookback) if reaching else first + windows.lookback
    high = min(behind, count - windows.delay) if windows.edges == "book" else behind - windows.delay
    return np.arange(low, max(low, high))


def _thinned(ends: np.ndarray, most: int) -> np.ndarray:
    if most < 1:
        raise DataError(
            "data.max_validation_windows is too small",
            key=("data", "max_validation_windows"),
            received=str(most),
            expected="at least 1",
        )
    return ends if len(ends) <= most else ends[np.linspace(0, len(ends) - 1, most).round().astype(int)]


def _too_short(file: Path, part: str, rows: int, windows: Windows) -> DataError:
    reaching = windows.edges == "reach_back" and part != "training"
    needed = (0 if reaching else windows.lookback) + (0 if windows.edges == "book" else windows.delay) + 1
    sizes = f"lookback {windows.lookback:,}, delay {windows.delay:,}"
    return DataError(
        f"{file}: the {part} part of the series is shorter than a window and its target",
        key=("data", "lookback"),
        received=f"{rows:,} rows; {sizes}",
        expected=f"at least {needed:,} rows with a target",
    )


def bounds_of(
    file: Path, count: int, ranges: Mapping[str, Sequence[int | None]], validation: float, test: float
) -> Bounds:
    """First position, and the position behind the last, of each part of `count` positions. Raises DataError."""
    if ranges:
        return _given(file, count, ranges)
    sizes = {key: _size(key, wish, count) for key, wish in (("validation", validation), ("test", test))}
    if not sizes["validation"]:
        raise DataError(
            "a series needs a validation part",
            key=("data", "validation"),
            received=f"{validation:g}",
            hint="to train on those rows too, set split.validation: 0",
        )
    first, second = count - sum(sizes.values()), count - sizes["test"]
    if first <= 0:
        raise DataError(
            "data.validation and data.test leave no rows to train on",
            key=("data", "validation"),
            received=f"{sum(sizes.values()):,} of {count:,} rows",
        )
    spans = {"training": (0, first), "validation": (first, second), "test": (second, count)}
    return {part: span for part, span in spans.items() if span[0] < span[1]}


def _size(key: str, wish: float, count: int) -> int:
    """The number of rows a share or a number stands for."""
    share = isinstance(wish, float) and not wish.is_integer()
    if wish < 0 or (share and wish > 1) or (not share and wish >= count):
        raise DataError(
            f"data.{key} is no share of the {count:,} rows",
            key=("data", key),
            received=f"{wish:g}",
            expected="a share between 0 and 1, or a smaller number of rows",
        )
    return round(wish * count) if share else int(wish)


def _given(file: Path, count: int, ranges: Mapping[str, Sequence[int | None]]) -> Bounds:
    """The bounds that `data.ranges` states, in order of the parts."""
    for part in ranges:
        if part not in PARTS:
            raise DataError(
                f"there is no part {part!r}",
                key=("data", "ranges", part),
                expected=listing(PARTS),
                hint=did_you_mean(part, PARTS),
            )
    for part in PARTS[:2]:
        if part not in ranges:
            raise DataError(f"data.ranges has no {part} part", key=("data", "ranges"), received=listing(ranges))
    bounds = {part: _span(file, part, ranges[part], count) for part in PARTS if part in ranges}
    behind = 0
    for part, (first, last) in bounds.items():
        if first < behind:
            raise DataError(
                f"data.ranges: the {part} part begins before the one before it ends",
                key=("data", "ranges", part),
                received=f"[{first}, {last}]",
                expected=f"{behind} or later: parts follow each other in time",
            )
        behind = last
    return bounds


def _span(file: Path, part: str, wish: Sequence[int | None], count: int) -> tuple[int, int]:
    if len(wish) != 2 or wish[0] is None:
        raise DataError(
            f"data.ranges.{part} is no range",
            key=("data", "ranges", part),
            received=str(list(wish)),
            expected="[first row, row behind the last], null for the end of the file",
        )
    first, behind = wish[0], count if wish[1] is None else wish[1]
    if not 0 <= first < behind <= count:
        raise DataError(
            f"data.ranges.{part} does not lie in the file",
            key=("data", "ranges", part),
            received=f"{[first, behind]}, {file.name} has {count:,} rows",
            expected=f"two rows in order, from 0 to {count}",
        )
    return int(first), int(behind)
