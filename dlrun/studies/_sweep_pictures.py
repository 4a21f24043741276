"""The pictures of a sweep: values by trial, importance of parameters, parallel coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from dlrun.drawing import Axis, draw_bars, draw_parallel, draw_search
from dlrun.files import make_folder


def draw(folder: Path, trials: list[FrozenTrial], summary: dict[str, Any]) -> None:
    """`history.png`, `importances.png` where there are any, `parallel.png`; nothing when no trial is completed."""
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not done:
        return
    make_folder(folder)
    monitor, mode = summary["monitor"], summary["mode"]
    points = {trial.number: float(trial.value or 0.0) for trial in done}
    pruned = {trial.number: trial.value for trial in trials if trial.state == TrialState.PRUNED and trial.value}
    draw_search(points, pruned, folder / "history.png", name=monitor, mode=mode)
    if summary["importances"]:
        draw_bars(summary["importances"], folder / "importances.png", label=f"share in the spread of {monitor}")
    found: dict[str, BaseDistribution] = {}
    for trial in done:
        found |= trial.distributions
    order = {name: place for place, name in enumerate(dict.fromkeys(key for trial in done for key in trial.params))}
    axes = [_axis(name, found[name]) for name in sorted(order, key=lambda name: _place(name, order))]
    lines = [(trial.params, points[trial.number]) for trial in done]
    draw_parallel(axes, lines, folder / "parallel.png", name=monitor, mode=mode)


def _place(name: str, order: dict[str, int]) -> tuple[int, str]:
    """Entries of a list beside their number, though only longer lists have the last ones."""
    first = next((known for known in order if known.partition(".layers")[0] == name.partition("[")[0]), name)
    return order[first], name if "[" in name else ""


def _axis(name: str, distribution: BaseDistribution) -> Axis:
    if isinstance(distribution, CategoricalDistribution):
        return Axis(name, values=tuple(distribution.choices))
    return Axis(name, log=bool(getattr(distribution, "log", False)))
