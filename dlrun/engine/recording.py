"""What a run leaves behind besides weights: its log, its metrics, its curves."""

from __future__ import annotations

import contextlib
import statistics
from datetime import datetime
from types import TracebackType
from typing import Any, TextIO

from dlrun import environment
from dlrun.config.metric_names import split_name
from dlrun.data._dataset import Prepared
from dlrun.drawing import draw_curves
from dlrun.engine.baselines import baselines, by_logged_name, levels_of
from dlrun.engine.compiling import settled_outputs
from dlrun.engine.execution import Outcome
from dlrun.engine.resolve import Experiment
from dlrun.events import Event, OnEvent, as_line, ignore
from dlrun.expectations import judged
from dlrun.files import first_line
from dlrun.run_dir import FORMAT, RunDir

_POWERS = {"mae": 1, "mean_absolute_error": 1, "rmse": 1, "root_mean_squared_error": 1}
_POWERS |= {"mse": 2, "mean_squared_error": 2}


class RunLog:
    """Passes events on and keeps them as lines in the run's `log.txt`."""

    def __init__(self, run: RunDir, on_event: OnEvent) -> None:
        self._path, self._on_event = run.log_file, on_event
        self._stream: TextIO | None = None

    def __enter__(self) -> RunLog:
        self._stream = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream:
            with contextlib.suppress(OSError):
                self._stream.close()

    def __call__(self, event: Event) -> None:
        line = as_line(event)
        if line and self._stream:
            with contextlib.suppress(OSError):  # a full disk ends the run where something is lost, not at a log line
                self._stream.write(f"{datetime.now():%H:%M:%S} {line}\n")
        try:
            self._on_event(event)
        except OSError:  # nobody reads the progress any more: a closed pipe or terminal
            self._on_event = ignore


def run_metrics(experiment: Experiment, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """The content of `metrics.json`: best and last epoch, baselines, time, memory."""
    progress, config = outcome.progress, experiment.config
    validated = "validation" in experiment.data.splits
    split = "validation" if validated else "training"
    best = progress.history[progress.best_epoch - 1] if progress.best_epoch else {}
    tables = baselines(experiment.data, split, seed=config.seed)
    levels = levels_of(best, settled_outputs(config, experiment.data.spec), tables)
    metrics: dict[str, Any] = {
        "format": FORMAT,
        "monitor": outcome.monitor,
        "mode": outcome.mode,
        "validated": validated,
        "epochs": progress.epochs,
        "best_epoch": progress.best_epoch,
        "best": best,
        "last": progress.history[-1] if progress.history else {},
        "measures": outcome.measures,
        "baselines": {name: level for name, level in levels.items() if name.startswith("val_") == validated}
        | outcome.levels,
        "best_original": in_original_units(best, experiment.data),
        "baselines_original": _original_baselines(experiment.data, split, config.seed),
        "units": _units(best, experiment.data),
        "parameters": outcome.parameters,
        "seconds": round(seconds, 3),
        "seconds_per_epoch": round(statistics.median(progress.seconds), 5) if progress.seconds else None,
        "peak_memory_bytes": environment.peak_memory_bytes(),
    }
    return {**metrics, "expect": judged(config.expect, metrics, progress.history)}


def in_original_units(row: dict[str, float], data: Prepared) -> dict[str, float]:
    """Those metrics of a logged row that scale with a target, in its original units; empty when none was scaled.

    Linear for mae and rmse, quadratic for mse. Only for targets of one number.
    """
    found = {}
    for name in row:
        owner, bare = split_name(name, data.spec.tasks)
        scale = data.target_scales.get(owner)
        if scale and len(scale.std) == 1 and bare in _POWERS:
            found[name] = row[name] * scale.std[0] ** _POWERS[bare]
    return found


def _units(row: dict[str, float], data: Prepared) -> dict[str, str]:
    """The units of those metrics that have the unit of a target which was scaled, where the data tells it."""
    found = {}
    for name in in_original_units(row, data):
        owner, bare = split_name(name, data.spec.tasks)
        if (unit := data.spec.tasks[owner].unit) and _POWERS[bare] == 1:
            found[name] = unit
    return found


def _original_baselines(data: Prepared, split: str, seed: int) -> dict[str, float]:
    tables = baselines(data, split, seed=seed, original_units=True) if data.target_scales else {}
    scaled = {name: table if name in data.target_scales else {} for name, table in tables.items()}
    return by_logged_name(scaled)


def draw_plots(experiment: Experiment, outcome: Outcome, metrics: dict[str, Any]) -> str | None:
    """Draw the curves; the reason when that failed, for a finished run does not fail for want of a picture."""
    levels = {name.removeprefix("val_"): level for name, level in metrics["baselines"].items()}
    best_epoch = metrics["best_epoch"] if metrics["validated"] else None
    try:
        draw_curves(outcome.progress.history, experiment.run.plots, best_epoch=best_epoch, baselines=levels)
    except (OSError, ValueError, RuntimeError) as error:
        return f"the plots could not be drawn: {first_line(error)}"
    return None
