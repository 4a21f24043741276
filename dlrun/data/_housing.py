"""What boston_housing and california_housing share: arrays x and y in Keras' order, and a generated stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlrun.data._npz import read_array
from dlrun.data._published import check_published, shuffled_as_published
from dlrun.data._sources import DataContext
from dlrun.errors import DataError
from dlrun.seeds import child_seed

GENERATED_ROWS = 500


def read_housing(path: Path, title: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Features `shape` and prices `(rows,)` as they lie in the file. Raises DataError."""
    features, prices = read_array(path, "x"), read_array(path, "y")
    check_published(path, title, "the shapes of x and y", (features.shape, prices.shape), (shape, shape[:1]))
    for name, array in (("x", features), ("y", prices)):
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise DataError(
                f"{path}: this is not the published {title}: {name} holds values that are no finite numbers"
            )
    return features, prices


def in_published_order(features: np.ndarray, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in the order in which Keras' loader brings them."""
    order = shuffled_as_published(len(prices))
    return features[order], prices[order]


def generated_housing(context: DataContext, columns: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Features `(500, columns)` of differing scales, and prices from `low` to `high` that follow from them."""
    random = np.random.default_rng(child_seed(context.seed, "data"))
    plain = random.normal(size=(GENERATED_ROWS, columns))
    signal = plain @ random.normal(size=columns) + 0.3 * random.normal(size=GENERATED_ROWS)
    prices = low + (high - low) * (signal - signal.min()) / np.ptp(signal)
    return plain * 10.0 ** random.integers(-1, 3, columns) + 5, prices
