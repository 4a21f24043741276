"""What a run leaves behind besides weights: its log, its metrics, its curves."""

from __future__ import annotations

import statistics
from datetime import datetime
from types import TracebackType
from typing import Any, TextIO

from dlrun.drawing import draw_curves
from dlrun.engine.execution import Outcome
from dlrun.engine.resolve import Experiment
from dlrun.engine.scoring import baseline_for, baselines
from dlrun.environment import peak_memory_bytes
from dlrun.events import DataReady, EpochDone, Event, ModelReady, Note, OnEvent, RunEnded, RunStarted
from dlrun.run_dir import FORMAT, RunDir


def event_line(event: Event) -> str | None:
    """An event as one plain line, or None for those that only a live display shows."""
    if isinstance(event, RunStarted):
        return f"run {event.path}"
    if isinstance(event, DataReady):
        rows = ", ".join(f"{count} {name}" for name, count in event.rows.items())
        return f"data {event.dataset} ({event.task}): {rows}"
    if isinstance(event, ModelReady):
        return f"model: {event.parameters:,} parameters, {event.epochs} epochs of {event.steps_per_epoch} steps"
    if isinstance(event, EpochDone):
        logs = "  ".join(f"{name} {value:.4g}" for name, value in event.logs.items())
        return f"epoch {event.epoch}  {event.seconds:.2f} s  {logs}" + ("  *best so far" if event.best else "")
    if isinstance(event, Note):
        return f"note: {event.message}"
    if isinstance(event, RunEnded):
        return f"{event.status} after {event.seconds:.1f} s"
    return None


class RunLog:
    """Passes events on and keeps them as lines in the run's `log.txt`."""

    def __init__(self, run: RunDir, on_event: OnEvent) -> None:
        self._path, self._on_event = run.log_file, on_event
        self._stream: TextIO | None = None

    def __enter__(self) -> RunLog:
        self._stream = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._stream:
            self._stream.close()

    def __call__(self, event: Event) -> None:
        line = event_line(event)
        if line and self._stream:
            self._stream.write(f"{datetime.now():%H:%M:%S} {line}\n")
        self._on_event(event)


def run_metrics(experiment: Experiment, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """The content of `metrics.json`: best and last epoch, baselines, time, memory. Draws the curves on the way."""
    progress, config = outcome.progress, experiment.config
    validated = "validation" in experiment.data.splits
    table = baselines(experiment.data, "validation" if validated else "training")
    best = progress.history[progress.best_epoch - 1] if progress.best_epoch else {}
    levels = {name: level for name in best if (level := baseline_for(name, config.loss, table)) is not None}
    bare = {name.removeprefix("val_"): level for name, level in levels.items()}
    draw_curves(
        progress.history, experiment.run.plots, best_epoch=progress.best_epoch if validated else None, baselines=bare
    )
    return {
        "format": FORMAT,
        "monitor": outcome.monitor,
        "mode": outcome.mode,
        "validated": validated,
        "epochs": progress.epochs,
        "best_epoch": progress.best_epoch,
        "best": best,
        "last": progress.history[-1] if progress.history else {},
        "baselines": {name: level for name, level in levels.items() if name.startswith("val_") == validated},
        "target_scale": list(experiment.data.target_scale.std) if experiment.data.target_scale else None,
        "parameters": outcome.parameters,
        "seconds": round(seconds, 3),
        "seconds_per_epoch": round(statistics.median(progress.seconds), 5) if progress.seconds else None,
        "peak_memory_bytes": peak_memory_bytes(),
        "expect": _expectation(config.expect, best),
    }


def _expectation(expect: Any, best: dict[str, float]) -> dict[str, Any] | None:
    """The stated result beside the measured one; `met` is None when the metric was not logged."""
    if expect is None:
        return None
    measured = best.get(expect.metric)
    met = None if measured is None else abs(measured - expect.value) <= expect.tolerance
    return {**expect.model_dump(), "measured": measured, "met": met}
