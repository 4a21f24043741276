"""Zero mean and unit standard deviation."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlrun


@dlrun.transform("standardise")
class Standardise:
    """Subtract each column's mean and divide by its standard deviation (DLwP 3.6.2); a constant column becomes 0.

    Missing values are left out of the statistics and stay missing.
    """

    def __init__(self) -> None:
        self.mean = self.std = np.zeros(0)

    def fit(self, values: np.ndarray) -> None:
        """Mean and standard deviation of each column of `(rows, columns)`."""
        known = ~np.isnan(values)
        counts = np.maximum(known.sum(axis=0), 1)
        self.mean = np.where(known, values, 0).sum(axis=0) / counts
        self.std = np.sqrt((np.where(known, values - self.mean, 0) ** 2).sum(axis=0) / counts)
        # What rounding leaves of a constant column is no spread.
        self.std[self.std <= 1e-12 * np.maximum(np.abs(self.mean), 1e-300)] = 1.0

    def apply(self, values: np.ndarray) -> np.ndarray:
        """`(rows, columns)`, standardised."""
        return (values - self.mean) / self.std

    def get_state(self) -> dict[str, Any]:
        """The statistics."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Standardise:
        """The transform as it was when its state was taken."""
        restored = cls()
        restored.mean, restored.std = np.array(state["mean"]), np.array(state["std"])
        return restored
