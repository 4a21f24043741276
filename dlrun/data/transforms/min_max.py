"""Columns stretched to a range."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlrun


@dlrun.transform("min_max")
class MinMax:
    """Map each column's least and greatest training value to `low` and `high`; a constant column becomes `low`.

    Later values outside the training range land outside `low` to `high`. Missing values stay missing.
    """

    def __init__(self, *, low: float = 0.0, high: float = 1.0) -> None:
        self.low, self.high = low, high
        self.least = self.span = np.zeros(0)

    def fit(self, values: np.ndarray) -> None:
        """Least value and span of each column of `(rows, columns)`."""
        self.least = np.where(np.isnan(values), np.inf, values).min(axis=0, initial=np.inf)
        greatest = np.where(np.isnan(values), -np.inf, values).max(axis=0, initial=-np.inf)
        self.least = np.where(np.isinf(self.least), 0.0, self.least)
        self.span = greatest - self.least
        self.span[~(self.span > 0)] = 1.0

    def apply(self, values: np.ndarray) -> np.ndarray:
        """`(rows, columns)`, stretched."""
        return self.low + (values - self.least) / self.span * (self.high - self.low)

    def get_state(self) -> dict[str, Any]:
        """The options and the learned ranges."""
        return {"low": self.low, "high": self.high, "least": self.least.tolist(), "span": self.span.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> MinMax:
        """The transform as it was when its state was taken."""
        restored = cls(low=state["low"], high=state["high"])
        restored.least, restored.span = np.array(state["least"]), np.array(state["span"])
        return restored
