"""Categories as columns of zeros and ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

import dlrun


@dlrun.transform("one_hot")
class OneHot:
    """One column of zeros and ones per category seen in training; a missing value counts as a category if it occurs.

    A category that training did not see becomes a row of zeros. `max_categories` keeps the most frequent ones of each
    column and treats the others as unseen.
    """

    def __init__(self, *, max_categories: int | None = None) -> None:
        self.max_categories = max_categories
        self.categories: list[list[Any]] = []

    def fit(self, values: np.ndarray) -> None:
        """The categories of each column of `(rows, columns)`, sorted, missing last."""
        self.categories = []
        for column in values.T:
            counts = Counter(map(_key, column.tolist()))
            kept = sorted(counts, key=lambda value: (-counts[value], _sortable(value)))[: self.max_categories]
            self.categories.append(sorted(kept, key=_sortable))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """`(rows, number of categories of all columns)`, float32."""
        width = sum(map(len, self.categories))
        encoded = np.zeros((len(values), width), "float32")
        start = 0
        for column, categories in zip(values.T, self.categories, strict=True):
            places = {category: start + place for place, category in enumerate(categories)}
            found = np.array([places.get(_key(value), -1) for value in column.tolist()], "int64")
            rows = np.flatnonzero(found >= 0)
            encoded[rows, found[rows]] = 1.0
            start += len(categories)
        return encoded

    def get_state(self) -> dict[str, Any]:
        """The options and the categories."""
        return {"max_categories": self.max_categories, "categories": self.categories}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> OneHot:
        """The transform as it was when its state was taken."""
        restored = cls(max_categories=state["max_categories"])
        restored.categories = state["categories"]
        return restored


def _key(value: Any) -> Any:
    """The value, or None for what is missing (None or NaN)."""
    return None if value != value else value


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is None, "" if value is None else value
