"""The pictures of a sweep: values by trial, importance of parameters, parallel coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from dlrun.drawing import Axis, draw_bars, draw_parallel, draw_search
from dlrun.files import make_folder


def draw(folder: Path, trials: list[FrozenTrial], keys: list[str], summary: dict[str, Any]) -> None:
    """`history.png`, `importances.png` where there are any, `parallel.png` with the axes in the order of `keys`.

    Nothing when no trial is completed.
    """
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
    axes = [_axis(name, found[name]) for name in sorted(found, key=lambda name: _place(name, keys))]
    lines = [(trial.params, points[trial.number]) for trial in done]
    draw_parallel(axes, lines, folder / "parallel.png", name=monitor, mode=mode)


def _place(name: str, keys: list[str]) -> tuple[int, int]:
    """By the order of the space; of a list first how many entries it has, then these."""
    key = max((key for key in keys if name == key or name.startswith((f"{key}.layers", f"{key}["))), key=len)
    rest = name.removeprefix(key)
    return keys.index(key), int(rest[1:-1]) if rest.startswith("[") else -1


def _axis(name: str, distribution: BaseDistribution) -> Axis:
    if isinstance(distribution, CategoricalDistribution):
        return Axis(name, values=tuple(distribution.choices))
    return Axis(name, log=bool(getattr(distribution, "log", False)))
