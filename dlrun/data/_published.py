"""What published datasets share: a check that a file is what its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlrun.errors import DataError


def check_published(path: Path, title: str, what: str, found: Any, expected: Any) -> None:
    """Raises DataError when `what` of the file is not what the published one has."""
    if found != expected:
        raise DataError(
            f"{path}: this is not the published {title}: {what}",
            received=str(found),
            expected=str(expected),
            hint="remove the file and put the published one there",
        )


def shuffled_as_published(count: int, seed: int = 113) -> np.ndarray:
    """The order in which Keras' loaders (imdb, reuters, boston_housing, california_housing) bring `count` rows."""
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    return order


def head_and_tail(count: int, test_share: float = 0.2) -> dict[str, np.ndarray]:
    """Parts as Keras' loaders cut them: the last rows test."""
    training = int(count * (1 - test_share))
    return {"training": np.arange(training), "test": np.arange(training, count)}
