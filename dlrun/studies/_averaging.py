"""Curves and figures of several folds as one: means, spreads, intervals, the epoch to stop at. Plain numbers only."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

Row = dict[str, float]

BOOK_SMOOTHING, BOOK_DROPPED, BOOK_SHARE = 0.9, 10, 50  # DLwP listing 3-31, for 500 epochs: a fiftieth


def mean_curve(histories: Sequence[Sequence[Row]]) -> list[Row]:
    """Mean of each metric over the folds, epoch by epoch, and under `NAME_std` the spread of what is validated.

    It ends where the first fold ends: a mean over those that are still there would be one over other folds.
    """
    epochs = min(map(len, histories))
    curve = []
    for epoch in range(epochs):
        rows = [history[epoch] for history in histories]
        curve.append({name: statistics.fmean(row[name] for row in rows) for name in common_names(rows)})
        spread = {name: [row[name] for row in rows] for name in curve[-1] if name.startswith("val_")}
        curve[-1] |= {f"{name}_std": standard_deviation(values) for name, values in spread.items()}
    return curve


def common_names(rows: Sequence[Row]) -> list[str]:
    """The metrics that all rows have, in the order of the first."""
    return [name for name in rows[0] if name != "learning_rate" and all(name in row for row in rows)]


def smoothing_for(epochs: int, stated: float | None) -> float:
    """The factor of the moving average: as stated, else such that it averages over a fiftieth of the epochs."""
    return min(BOOK_SMOOTHING, max(0.0, 1 - BOOK_SHARE / epochs)) if stated is None else stated


def dropped_for(epochs: int, stated: int | None) -> int:
    """How many first epochs are left out: as stated, else a fiftieth; one epoch at least is left."""
    wanted = min(BOOK_DROPPED, epochs // BOOK_SHARE) if stated is None else stated
    return min(wanted, epochs - 1)


def smoothed(values: Sequence[float], factor: float, dropped: int) -> list[float]:
    """The exponential moving average of `values[dropped:]`, which begins with the first of them (DLwP listing 3-31)."""
    points: list[float] = []
    for value in values[dropped:]:
        points.append(points[-1] * factor + value * (1 - factor) if points else value)
    return points


def best_epoch(values: Sequence[float], mode: str, factor: float, dropped: int) -> int:
    """The epoch, counted from 1, at which the smoothed curve is best; the earliest of several."""
    points = smoothed(values, factor, dropped)
    ranked = [(point if mode == "min" else -point, place) for place, point in enumerate(points) if math.isfinite(point)]
    return dropped + 1 + min(ranked)[1] if ranked else len(values)


def standard_deviation(values: Sequence[float]) -> float:
    """Of a sample (n - 1). `statistics.stdev` counts in fractions and takes a tenth of a second for 500 epochs."""
    if len(values) < 2:
        return math.nan
    mean = statistics.fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def interval_method(n_splits: int, repeats: int) -> str:
    """What `spread_of` computes, in words."""
    if repeats == 1:
        return (
            f"95 %, Student's t over {n_splits} folds; the folds share training rows, so it is rather too narrow than "
            "too wide"
        )
    return (
        f"95 %, corrected resampled t over {n_splits} x {repeats} folds, variance (1/{n_splits * repeats} + "
        f"1/{n_splits - 1}) s2, since the folds share rows (Nadeau and Bengio, Machine Learning 52, 2003)"
    )


def spread_of(values: Sequence[float], n_splits: int, repeats: int) -> dict[str, Any]:
    """Mean, standard deviation and the bounds of a 95 % interval of the mean, beside the values themselves."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # comes with scikit-learn

    mean, std, count = statistics.fmean(values), standard_deviation(values), len(values)
    share = 1 / count + (1 / (n_splits - 1) if repeats > 1 else 0)
    half = float(stdtrit(count - 1, 0.975)) * std * math.sqrt(share) if count > 1 else math.nan
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half, "folds": list(values)}


def spreads_at(rows: Sequence[Row], n_splits: int, repeats: int) -> dict[str, dict[str, Any]]:
    """`spread_of` each metric, from one row of metrics per fold."""
    return {name: spread_of([row[name] for row in rows], n_splits, repeats) for name in common_names(rows)}
