"""Missing values filled in."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import numpy as np

import dlrun
from dlrun.errors import ConfigError


@dlrun.transform("impute")
class Impute:
    """Fill missing values: numbers with the column's median, categories with its most frequent one, unless told else.

    `strategy`: `auto`, `median`, `mean`, `most_frequent`, or `constant` with its `value`. A column without any training
    value is filled with 0 or "".
    """

    def __init__(
        self,
        *,
        strategy: Literal["auto", "median", "mean", "most_frequent", "constant"] = "auto",
        value: float | str | None = None,
    ) -> None:
        if strategy == "constant" and value is None:
            raise ConfigError("impute: strategy constant needs a value")
        self.strategy = strategy
        self.value = value
        self.fills: list[Any] = []

    def fit(self, values: np.ndarray) -> None:
        """One fill per column of `(rows, columns)`."""
        if values.dtype == object and self.strategy in ("median", "mean"):
            raise ConfigError(f"impute: there is no {self.strategy} of categories", expected="most_frequent, constant")
        self.fills = [self._fill(values[:, column]) for column in range(values.shape[1])]

    def apply(self, values: np.ndarray) -> np.ndarray:
        """`(rows, columns)` with nothing missing."""
        missing = _missing(values)
        fills = np.array(self.fills, values.dtype)
        return np.where(missing, fills[None, :], values)

    def get_state(self) -> dict[str, Any]:
        """The options and the fills."""
        return {"strategy": self.strategy, "value": self.value, "fills": self.fills}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Impute:
        """The transform as it was when its state was taken."""
        restored = cls(strategy=state["strategy"], value=state["value"])
        restored.fills = state["fills"]
        return restored

    def _fill(self, column: np.ndarray) -> Any:
        known = column[~_missing(column)]
        if self.strategy == "constant":
            return self._constant(column.dtype == object)
        if not len(known):
            return "" if column.dtype == object else 0.0
        if column.dtype == object or self.strategy == "most_frequent":
            counts = Counter(known.tolist())
            return min(counts, key=lambda value: (-counts[value], value))
        return float(known.mean() if self.strategy == "mean" else np.median(known))

    def _constant(self, text: bool) -> Any:
        try:
            return str(self.value) if text else float(self.value)  # type: ignore[arg-type]
        except ValueError:
            raise ConfigError(f"impute: {self.value!r} cannot fill columns of numbers") from None


def _missing(values: np.ndarray) -> np.ndarray:
    return np.equal(values, None) if values.dtype == object else np.isnan(values)  # type: ignore[no-any-return, call-overload]
