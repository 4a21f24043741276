"""What a source states (`expect`) against what one run measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from dlrun.config.expected import BASELINE, COUNTS, SHUFFLED, TEST
from dlrun.config.metric_names import more_is_better
from dlrun.config.schema import Expect

OWN_BASELINE = "baseline"  # in `below` and `above`: that of the run itself
_LAST_EPOCHS = 10
History = Sequence[Mapping[str, float]]


def measure(expect: Expect, metrics: Mapping[str, Any], history: History) -> float | None:
    """The value of a run that `expect` is about, from its `metrics.json` and the rows of its history.

    Metrics that scale with a standardised target are in the target's own units. None when the run does not have it:
    scores of test are not among its metrics, and an epoch may be missing.
    """
    name = expect.metric
    if name in COUNTS:
        return _number(metrics.get(name))
    if name.startswith(BASELINE):
        return baseline(name.removeprefix(BASELINE), metrics)
    if name in (metrics.get("measures") or {}):
        return _number(metrics["measures"][name])
    value = None if name.startswith(TEST) else _at(expect, metrics, history)
    return None if value is None else value * _unit(name, metrics)


def baseline(metric: str, metrics: Mapping[str, Any]) -> float | None:
    """What a model that never looks at the inputs scores on a metric; `..._shuffled`: what shuffled labels score."""
    original = metrics.get("baselines_original") or {}
    found = original.get(metric.removeprefix("val_")) if not metric.endswith(SHUFFLED) else None
    return _number(found if found is not None else (metrics.get("baselines") or {}).get(metric))


def bound(expect: Expect, metrics: Mapping[str, Any]) -> float | None:
    """What `below` or `above` names, where that is a number or the run's own baseline; None for another config."""
    named = expect.below if expect.below is not None else expect.above
    return baseline(expect.metric, metrics) if named == OWN_BASELINE else named if isinstance(named, float) else None


def is_met(expect: Expect, measured: float | None, level: float | None = None) -> bool | None:
    """Whether a measured value is as stated; `level` is what an order compares with. None when either is missing."""
    if measured is None:
        return None
    if expect.value is not None:
        return abs(measured - expect.value) <= (expect.tolerance or 0.0)
    if level is None:
        return None
    margin = expect.margin or 0.0
    return measured < level - margin if expect.below is not None else measured > level + margin


def judged(expects: Sequence[Expect], metrics: Mapping[str, Any], history: History) -> list[dict[str, Any]]:
    """Each entry with what this one run measured, and `met` where this run alone can tell."""
    found = []
    for expect in expects:
        measured = measure(expect, metrics, history)
        stated = expect.model_dump(exclude_none=True)
        found.append({**stated, "measured": measured, "met": is_met(expect, measured, bound(expect, metrics))})
    return found


def stated_text(expect: Expect) -> str:
    """An entry in words: `val_accuracy: 0.885 ± 0.01`, `val_loss at epoch 20 below book/imdb`."""
    return f"{expect.metric}{_where(expect)}{'' if expect.is_order else ':'} {result_text(expect)}"


def result_text(expect: Expect) -> str:
    """The stated result itself: `0.885 ± 0.01`, `4`, `below baseline by 0.01`."""
    if expect.value is not None:
        return f"{expect.value:.10g}" + (f" ± {expect.tolerance:.10g}" if expect.tolerance else "")
    word, named = ("below", expect.below) if expect.below is not None else ("above", expect.above)
    return f"{word} {named:.10g}" if isinstance(named, float) else f"{word} {named}" + _by(expect)


def _by(expect: Expect) -> str:
    return f" by {expect.margin:.10g}" if expect.margin else ""


def _where(expect: Expect) -> str:
    places = {"best": "", "own_best": " at its best", "last": " at the end", "last_10": " in the last 10 epochs"}
    after = " after retrain" if expect.after == "retrain" else ""
    return (f" at epoch {expect.at}" if isinstance(expect.at, int) else places[expect.at]) + after


def _at(expect: Expect, metrics: Mapping[str, Any], history: History) -> float | None:
    if expect.at == "best":
        return _number((metrics.get("best") or {}).get(expect.metric))
    values = [_number(row.get(expect.metric)) for row in history]
    if isinstance(expect.at, int):
        return values[expect.at - 1] if expect.at <= len(values) else None
    known = [value for value in values if value is not None]
    if expect.at == "own_best":
        return (max if more_is_better(expect.metric) else min)(known, default=None)
    last = values[-1:] if expect.at == "last" else values[-_LAST_EPOCHS:]
    return None if not last or None in last else fmean(value for value in last if value is not None)


def _unit(name: str, metrics: Mapping[str, Any]) -> float:
    """What one unit of a logged metric is in the target's own units."""
    logged = _number((metrics.get("best") or {}).get(name))
    original = _number((metrics.get("best_original") or {}).get(name))
    return original / logged if logged and original is not None else 1.0


def _number(value: Any) -> float | None:
    found = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    return found if math.isfinite(found) else None
