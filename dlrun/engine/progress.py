"""How far a run is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Progress:
    """How far a run is: rows of history (epoch 1 first), seconds per epoch, and the best epoch so far.

    `step` counts the steps done in the running epoch, 0 between two epochs; `logs` is what the last of them logged and
    `elapsed` the seconds since the epoch began. `rollbacks` has one entry for each: the epoch and step whose loss was
    not finite, counted from 1, and the learning rate from there on. `stage` is the running one, counted from 0, which
    began after `stage_began` epochs.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int | None = None  # counted from 1
    best_weights: list[np.ndarray] | None = None
    stopped: bool = False  # a callback ended training
    step: int = 0
    logs: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0
    rollbacks: list[dict[str, Any]] = field(default_factory=list)
    stage: int = 0
    stage_began: int = 0

    @property
    def epochs(self) -> int:
        return len(self.history)

    def end_epoch(self, row: dict[str, float], seconds: float, *, stopped: bool) -> None:
        """Count an epoch as done."""
        self.history.append(row)
        self.seconds.append(seconds)
        self.stopped = stopped
        self.step, self.logs, self.elapsed = 0, {}, 0.0
