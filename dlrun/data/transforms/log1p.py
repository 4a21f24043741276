"""Logarithm of skewed columns."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlrun
from dlrun.errors import DataError


@dlrun.transform("log1p")
class Log1p:
    """The natural logarithm of 1 + x, for skewed columns such as prices; values below -1 are an error."""

    def fit(self, values: np.ndarray) -> None:
        """Nothing is learned; `(rows, columns)` is only checked."""
        self.apply(values)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """`(rows, columns)`, missing values stay missing. Raises DataError for values of -1 or less."""
        wrong = np.argwhere(values <= -1)
        if len(wrong):
            row, column = map(int, wrong[0])
            raise DataError(
                f"log1p needs values above -1; row {row + 1}, numeric column {column + 1} is {values[row, column]:g}",
                hint="use standardise instead",
            )
        return np.log1p(values)

    def get_state(self) -> dict[str, Any]:
        """Empty."""
        return {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Log1p:
        """The transform; there is nothing to restore."""
        return cls()
