"""From measured processes to one row per pair: medians, ratios, their geometric mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from statistics import median
from typing import Any

from bench.measuring import Side
from bench.pairs import Pair

CAPPED, CAP = "boston", 20.0  # one very high ratio must not carry the mean


@dataclass
class Result:
    """All rounds of one pair. `problem` says why there are none, or that the two sides did not do the same work."""

    pair: Pair
    script: list[Side] = field(default_factory=list)
    dlrun: list[Side] = field(default_factory=list)
    problem: str = ""

    @property
    def measured(self) -> bool:
        return bool(self.script and self.dlrun)

    def medians(self, what: str) -> tuple[float, float]:
        """Medians over the rounds of `wall`, `epoch` (seconds) or `memory` (bytes): script, dlrun."""
        return _median(self.script, what), _median(self.dlrun, what)

    def ratio(self, what: str) -> float:
        """Script over dlrun: above 1 dlrun is faster or smaller."""
        script, dlrun = self.medians(what)
        return script / dlrun

    def final(self) -> tuple[float | None, float | None]:
        """Medians of the pair's metric after the last epoch: script, dlrun; None where it was not printed."""
        return _final(self.script, self.pair.metric), _final(self.dlrun, self.pair.metric)

    def compare_work(self) -> None:
        """Set `problem` when epochs, steps or final metrics of the two sides show that they did different things."""
        script, dlrun = self.script[-1], self.dlrun[-1]
        done = [(side.epochs, side.steps) for side in (script, dlrun)]
        values = self.final()
        if done[0] != done[1]:
            self.problem = f"not the same work: (epochs, steps) {done[0]} and {done[1]}"
        elif None in values:
            self.problem = f"{self.pair.metric} was not printed"
        elif abs(float(values[0] or 0) - float(values[1] or 0)) > self.pair.tolerance:
            self.problem = f"{self.pair.metric} is more than {self.pair.tolerance:g} apart: is it the same work?"

    def as_json(self) -> dict[str, Any]:
        """Every measured process and the ratios of the medians."""
        ratios = {what: round(self.ratio(what), 3) for what in ("wall", "epoch", "memory")} if self.measured else {}
        sides = {"script": [asdict(side) for side in self.script], "dlrun": [asdict(side) for side in self.dlrun]}
        return {"name": self.pair.name, **sides, "ratios": ratios, "problem": self.problem}


def geometric_mean(results: Sequence[Result], what: str) -> float | None:
    """Of the ratios of all measured pairs, the one of `boston` counting 20 at most; None when nothing was measured."""
    ratios = [
        min(result.ratio(what), CAP) if result.pair.name == CAPPED else result.ratio(what)
        for result in results
        if result.measured
    ]
    return prod(ratios) ** (1 / len(ratios)) if ratios else None


def _median(sides: Sequence[Side], what: str) -> float:
    return median(getattr(side, what) for side in sides)


def _final(sides: Sequence[Side], metric: str) -> float | None:
    values = [side.metrics[metric] for side in sides if metric in side.metrics]
    return median(values) if values else None
