"""Transforms in a row, applied to the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from dlrun.registry import TRANSFORMS


class Transform(Protocol):
    """What a class below `@dlrun.transform` offers.

    Values are `(rows, columns)`: float64 with NaN for what is missing, or object (text) with None.
    """

    def fit(self, values: np.ndarray) -> None:
        """Learn from the training rows."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The values, transformed row by row; the number of columns may change."""
        ...

    def get_state(self) -> dict[str, Any]:
        """All that `from_state` needs, as JSON values."""
        ...

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Transform:
        """The transform as it was when its state was taken."""
        ...


@dataclass
class Chain:
    """Transforms by name, one after the other."""

    steps: list[tuple[str, Transform]] = field(default_factory=list)

    @classmethod
    def from_config(cls, entries: Sequence[Any]) -> Chain:
        """From the YAML form: `standardise`, or a one-key mapping such as `{impute: {strategy: mean}}`.

        Raises UnknownNameError.
        """
        steps = []
        for entry in entries:
            ((name, options),) = entry.items() if isinstance(entry, dict) else ((entry, None),)
            steps.append((name, TRANSFORMS.get(name)(**(options or {}))))
        return cls(steps)

    def fit(self, values: np.ndarray) -> None:
        """Learn each step from what the steps before it make of the training rows `(rows, columns)`."""
        for number, (_, step) in enumerate(self.steps):
            step.fit(values)
            if number + 1 < len(self.steps):
                values = step.apply(values)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """All steps on all rows `(rows, columns)`."""
        for _, step in self.steps:
            values = step.apply(values)
        return values

    def get_state(self) -> list[dict[str, Any]]:
        """Names and states of the steps, as JSON values."""
        return [{"name": name, "state": step.get_state()} for name, step in self.steps]

    @classmethod
    def from_state(cls, state: Sequence[dict[str, Any]]) -> Chain:
        """The chain as it was when its state was taken. Raises UnknownNameError."""
        kinds: list[Any] = [TRANSFORMS.get(entry["name"]) for entry in state]
        steps = [kind.from_state(entry["state"]) for kind, entry in zip(kinds, state, strict=True)]
        return cls([(entry["name"], step) for entry, step in zip(state, steps, strict=True)])
