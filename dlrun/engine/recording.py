"""What a run leaves behind besides weights: its log, its metrics, its curves."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from dlrun import environment
from dlrun.config.schema import Config
from dlrun.drawing import draw_curves
from dlrun.engine.execution import Outcome
from dlrun.engine.resolve import Experiment, builders
from dlrun.engine.scoring import baseline_for, baselines
from dlrun.engine.session import Session
from dlrun.events import Event, OnEvent, as_line
from dlrun.run_dir import FORMAT, RunDir


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
            self._stream.close()

    def __call__(self, event: Event) -> None:
        line = as_line(event)
        if line and self._stream:
            self._stream.write(f"{datetime.now():%H:%M:%S} {line}\n")
        self._on_event(event)


def provenance(config: Config, session: Session, command: Sequence[str]) -> dict[str, Any]:
    """The first content of `run.json`: what was asked, by whom it is done, where and with which versions."""
    return {
        "name": config.name,
        "description": config.description,
        "command": list(command),
        "folder": str(Path.cwd()),
        "seed": config.seed,
        "sample_data": config.data.sample,
        "device": session.device_name,
        "threads": session.threads,
        "versions": environment.installed_versions(),
        "git": environment.git_state(Path.cwd()),
        "builders": {key: builder.__code__.co_filename for key, builder in builders(config).items()},
        "test_readings": [],
        "notes": [],
    }


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
        "peak_memory_bytes": environment.peak_memory_bytes(),
        "expect": _expectation(config.expect, best),
    }


def _expectation(expect: Any, best: dict[str, float]) -> dict[str, Any] | None:
    """The stated result beside the measured one; `met` is None when the metric was not logged."""
    if expect is None:
        return None
    measured = best.get(expect.metric)
    met = None if measured is None else abs(measured - expect.value) <= expect.tolerance
    return {**expect.model_dump(), "measured": measured, "met": met}
