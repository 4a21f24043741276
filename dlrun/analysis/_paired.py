"""Two configurations run with the same seeds: how they differ, seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.analysis._entries import Entry


@dataclass(frozen=True)
class Paired:
    """Differences of a metric between two configurations over the `n` seeds they share.

    `p` is two-sided, of Student's paired t-test (Gosset, Biometrika 6, 1908); None where all differences are equal.
    """

    n: int
    mean: float
    spread: float
    p: float | None


def paired(group: Sequence[Entry], reference: Sequence[Entry], metric: str) -> Paired | None:
    """The differences group - reference; None with fewer than two seeds that both have exactly once."""
    own, other = _by_seed(group, metric), _by_seed(reference, metric)
    differences = [own[seed] - other[seed] for seed in own if seed in other]
    if len(differences) < 2:
        return None
    mean, spread = statistics.fmean(differences), statistics.stdev(differences)
    return Paired(len(differences), mean, spread, _p(mean, spread, len(differences)) if spread > 0 else None)


def _by_seed(entries: Sequence[Entry], metric: str) -> dict[str, float]:
    seeds = [str(entry.seed) for entry in entries]
    values = {str(entry.seed): entry.best.get(metric) for entry in entries}
    return {seed: value for seed, value in values.items() if value is not None and seeds.count(seed) == 1}


def _p(mean: float, spread: float, n: int) -> float:
    from scipy.special import stdtr  # type: ignore[import-untyped]  # comes with scikit-learn

    return 2 * float(stdtr(n - 1, -abs(mean) / (spread / math.sqrt(n))))
