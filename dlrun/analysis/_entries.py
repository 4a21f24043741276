"""Runs as `compare` sees them: read without Keras, and with the reason where one is damaged."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlrun.config.identity import experiment_values
from dlrun.config.nodes import to_plain
from dlrun.config.yaml_reader import read_yaml
from dlrun.errors import ConfigError, RunDirError
from dlrun.run_dir import COMPLETED, FAILED, RunDir, find_run

DAMAGED = "damaged"
_FILES = ("run.json", "config.yaml", "metrics.json", "history.csv", "log.txt")  # any of them marks a run's folder
_MOST = sys.float_info.max  # a larger integer is no number of ours; nan is not below it either
_SECTIONS = ("name", "seed", "data", "split", "training", "monitor", "runtime")  # in every config.yaml, to its end


@dataclass
class Entry:
    """One run: what it was asked, how it went, and what its figures rest on.

    `problem` tells why a damaged run cannot be compared. `number` is the place in the table, counted from 1.
    `best` are the metrics of the best epoch; a value that was not finite is None. For a run that is not completed they
    are those of its history so far.
    """

    run: RunDir
    status: str = DAMAGED
    problem: str | None = None
    number: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    monitor: str | None = None
    mode: str | None = None
    best_epoch: int | None = None
    epochs: int = 0
    best: dict[str, float | None] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)
    seconds_per_epoch: float | None = None
    validated: bool = True

    @property
    def name(self) -> str:
        return self.run.path.parent.name

    @property
    def value(self) -> float | None:
        """The monitored metric at the best epoch."""
        return self.best.get(self.monitor) if self.monitor else None

    @property
    def outcome(self) -> str:
        """The status; of a failed run with the kind of failure."""
        failure = self.record.get("failure")
        kind = failure.get("kind") if isinstance(failure, dict) else None
        return f"{self.status}: {kind}" if self.status == FAILED and kind else self.status

    @property
    def comparable(self) -> bool:
        """Whether the run is completed, with a figure to rank it by."""
        return self.status == COMPLETED and self.value is not None

    @property
    def seed(self) -> Any:
        return self.config.get("seed")


def chosen_runs(texts: Sequence[str], outputs: Path, *, every: bool) -> list[RunDir]:
    """The runs that are meant, each once; with `every` a name, or a folder of runs, stands for all in it.

    A damaged run is found by its path. Raises UnknownNameError, RunDirError.
    """
    found: dict[Path, RunDir] = {}
    for text in texts:
        inside = _runs_in([outputs / text, Path(text)]) if every and text != "-" else []
        if text != "-" and _is_run(Path(text)):
            inside = [RunDir(Path(text).absolute())]
        for run in inside or [find_run(text, outputs)]:
            found.setdefault(run.path.resolve(), run)
    return list(found.values())


def _runs_in(folders: Sequence[Path]) -> list[RunDir]:
    for folder in folders:
        if folder.is_dir() and not _is_run(folder):
            runs = [RunDir(path.absolute()) for path in folder.glob("[!.]*") if _is_run(path)]
            if runs:
                return sorted(runs, key=lambda run: run.id)
    return []


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in _FILES)


def read_entry(run: RunDir) -> Entry:
    """The entry of a run; when its files are damaged, one that says why."""
    entry = Entry(run)
    try:
        entry.record, status = run.record(), run.status()
        entry.config = _read_config(run)
        entry.data = _read_fingerprint(entry)
        if status == COMPLETED:
            _read_metrics(entry)
        else:
            _read_history(entry)
    except (RunDirError, ConfigError) as error:
        problem = error.problems[0]
        entry.problem = f"{problem.place}: {problem.message}" if problem.place else problem.message
    else:
        entry.status = status
    return entry


def _read_fingerprint(entry: Entry) -> dict[str, Any]:
    """What tells the data of the run from other data; empty for a run that did not get that far. Raises RunDirError."""
    data = _part(entry.record, "data", entry.run.record_file)
    if not all(isinstance(data.get(key, ""), str) for key in ("content", "split")):
        raise RunDirError(f"{entry.run.record_file} is damaged: the fingerprint of the data is not text")
    return data


def _read_config(run: RunDir) -> dict[str, Any]:
    """The values of `config.yaml` that say which experiment it is: no names, no logging, plugins by their content.

    Raises ConfigError, RunDirError.
    """
    values = to_plain(read_yaml(run.config_file))
    missing = [name for name in _SECTIONS if name not in values]
    if missing or not isinstance(values["training"], dict) or not isinstance(values["monitor"], dict):
        raise RunDirError(f"{run.config_file} is cut off or damaged" + (f": no `{missing[0]}`" if missing else ""))
    for key in ("format", "name", "description", "expect", "kfold", "sweep"):
        values.pop(key, None)
    for key in ("tensorboard", "checkpoint_every_seconds", "checkpoint_every_steps"):
        values["training"].pop(key, None)
    callbacks = values.get("callbacks") or []
    if not isinstance(callbacks, list) or not all(isinstance(one, dict) for one in callbacks):
        raise RunDirError(f"{run.config_file} is damaged: `callbacks` is not a list of callbacks")
    values = experiment_values(values)
    acting = values["callbacks"]
    values["callbacks"] = {_numbered(acting, place): one for place, one in enumerate(acting)}
    values["plugins"] = [_digest(path) for path in sorted(run.plugins.glob("*/*.py"))]
    return values


def _numbered(callbacks: list[dict[str, Any]], place: int) -> str:
    """The name of a callback; with a number from the second of that name on."""
    name = str(callbacks[place].get("name"))
    earlier = sum(str(one.get("name")) == name for one in callbacks[:place])
    return f"{name}[{earlier}]" if earlier else name


def _digest(path: Path) -> str:
    try:
        return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
    except OSError as error:
        raise RunDirError(f"{path} cannot be read: {error.strerror}") from error


def _read_metrics(entry: Entry) -> None:
    """What `metrics.json` says. Raises RunDirError."""
    file, metrics = entry.run.metrics_file, entry.run.metrics()
    if not isinstance(metrics.get("monitor"), str) or metrics.get("mode") not in ("min", "max"):
        raise RunDirError(f"{file} is damaged: it does not say what the run is judged by")
    entry.monitor, entry.mode = metrics["monitor"], metrics["mode"]
    entry.epochs, entry.best_epoch = metrics.get("epochs") or 0, metrics.get("best_epoch")
    entry.best = _numbers(_part(metrics, "best", file), file)
    levels = _numbers(_part(metrics, "baselines", file), file)
    entry.baselines = {name: level for name, level in levels.items() if level is not None}
    entry.seconds_per_epoch = _numbers({"seconds_per_epoch": metrics.get("seconds_per_epoch")}, file)[
        "seconds_per_epoch"
    ]
    entry.validated = bool(metrics.get("validated", True))
    if not isinstance(entry.epochs, int) or not isinstance(entry.best_epoch, int | None):
        raise RunDirError(f"{file} is damaged: its epochs are no numbers")


def _read_history(entry: Entry) -> None:
    """The best epoch so far of a run that is not completed, if it has one. Raises RunDirError."""
    monitor, mode = (entry.config["monitor"].get(key) for key in ("metric", "mode"))
    begun = entry.run.history_file.exists() or entry.run.timing_file.exists()  # one without the other is damage
    history = entry.run.history() if begun else []
    entry.epochs, entry.monitor = len(history), monitor if isinstance(monitor, str) else None
    entry.mode = mode if mode in ("min", "max") else None
    values = {n: row[monitor] for n, row in enumerate(history, 1) if math.isfinite(row.get(monitor, math.nan))}
    if entry.mode and values:
        entry.best_epoch = (max if entry.mode == "max" else min)(values, key=lambda epoch: values[epoch])
        entry.best = _numbers(history[entry.best_epoch - 1], entry.run.history_file)


def _part(values: dict[str, Any], key: str, file: Path) -> dict[str, Any]:
    """A mapping inside a file of a run; empty when it is not there. Raises RunDirError."""
    part = values.get(key) or {}
    if not isinstance(part, dict):
        raise RunDirError(f"{file} is damaged: `{key}` is not a mapping")
    return part


def _numbers(values: dict[str, Any], file: Path) -> dict[str, float | None]:
    """Finite numbers; None for what is not finite. Raises RunDirError for anything else."""
    for name, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise RunDirError(f"{file} is damaged: `{name}` is not a number")
    return {name: value if value is not None and abs(value) <= _MOST else None for name, value in values.items()}
