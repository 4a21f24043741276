"""Repeating a run from its own config, and comparing the two bit by bit."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dlrun import environment
from dlrun.analysis.equality import (
    HistoryDifference,
    WeightDifference,
    differences,
    grouped,
    history_cells,
    history_difference,
    keras_file_arrays,
)
from dlrun.analysis.reasons import reasons
from dlrun.config.schema import Component, Config, with_section
from dlrun.errors import ConfigError, DataError, Interrupted, RunDirError, TrainingError
from dlrun.events import DataReady, Event, OnEvent, ignore
from dlrun.keeping import ALL
from dlrun.run_dir import COMPLETED, RUNNING, RunDir

_GROUPS = {"model/": "weights", "optimizer": "optimizer state", "best/": "best weights", "callback": "callbacks"}


@dataclass(frozen=True)
class Task:
    """What shall be repeated: the first `epochs` of a run, or all of it (`whole`), its end included."""

    epochs: int
    whole: bool


@dataclass(frozen=True)
class Verification:
    """How a run and its repetition compare.

    `epochs` were wanted, `repeated` done. `compared` names what was compared, `left_out` what could not be and why,
    `reasons` why equality is not promised. `failure` is what ended the repetition early, `kept` where it lies.
    `recorded` is false when the run's `run.json` could not be written.
    """

    epochs: int
    repeated: int
    history: HistoryDifference | None
    weights: list[WeightDifference]
    compared: list[str]
    left_out: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    failure: str | None = None
    kept: Path | None = None
    recorded: bool = True

    @property
    def equal(self) -> bool:
        """Whether all that was compared has the same bits."""
        return not (self.history or self.weights or self.failure or self.repeated != self.epochs)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"equal": self.equal, **asdict(self)}


def plan(run: RunDir, epochs: int | None = None) -> Task:
    """What to repeat of a run: its first `epochs`, else all. Raises ConfigError for one that is still running,
    RunDirError for one without a finished epoch.
    """
    status = run.status()
    if status == RUNNING:
        raise ConfigError(f"the run {run.id} is running", hint="wait for its end, or stop it")
    done = len(history_cells(run))
    if not done:
        raise RunDirError(f"the run {run.id} has no finished epoch: there is nothing to verify")
    if epochs is None or epochs >= done:
        return Task(done, whole=status == COMPLETED)
    return Task(epochs, whole=False)


def verify(
    run: RunDir, config: Config, *, epochs: int | None = None, keep: bool = False, on_event: OnEvent = ignore
) -> Verification:
    """Repeat a run (or its first `epochs`) by its own `config` in a temporary directory, compare, record the result.

    `keep` leaves the repetition there. Raises DlrunError when it cannot be repeated: a running run, data that is gone
    or is not the same.
    """
    task = plan(run, epochs)
    folder = Path(tempfile.mkdtemp(prefix="dlrun-verify-"))
    try:
        repetition = RunDir(folder / run.id)
        failure = _repeat(run, config, task, repetition, on_event)
        found = _compare(run, repetition, config, task, failure)
        found = Verification(**{**vars(found), "kept": repetition.path if keep else None})
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return _record(run, found, task)


def _repeat(run: RunDir, config: Config, task: Task, repetition: RunDir, on_event: OnEvent) -> str | None:
    """Train as the run did; what ended it early, when its loss was not a number. Raises DlrunError."""
    from dlrun.data._fingerprint import same_data
    from dlrun.train import train

    def listen(event: Event) -> None:
        if isinstance(event, DataReady) and not same_data(repetition.record().get("data"), run.record().get("data")):
            hint = "its files have changed, or another folder comes first now"
            if config.data.sample:
                hint = "stand-in data is generated anew, and other versions may generate other data"
            raise DataError("the data is not what the run was trained on: its content or its split differs", hint=hint)
        on_event(event)

    repeated = with_section(config, "training", tensorboard=False, keep=ALL)
    if not task.whole:  # the section is changed here, behind the checks of a config: callbacks may want more epochs
        training = repeated.training.with_epochs(task.epochs, run.stages_began())
        repeated = repeated.model_copy(update={"training": training})
    try:
        train(repeated, run_dir=repetition.path, on_event=listen, about={"repeats": run.id})
    except Interrupted as error:
        raise Interrupted("stopped; the run was not verified", resumable=False) from error
    except TrainingError as error:
        if error.kind != "nan":
            raise
        return str(error.problems[0].message)
    return None


def _compare(run: RunDir, repetition: RunDir, config: Config, task: Task, failure: str | None) -> Verification:
    before = history_cells(run)[: task.epochs]
    now = history_cells(repetition) if repetition.history_file.exists() else []
    compared = [f"history.csv ({task.epochs} epoch{'s' if task.epochs > 1 else ''})"]
    weights: list[WeightDifference] = []
    left_out: list[str] = []
    if failure or len(now) != len(before):
        left_out.append("weights: the repetition did not take as many epochs")
    else:
        old, new, left_out = _weights(run, repetition, config, task)
        compared += old
        weights = list(differences(old, new))
    return Verification(
        epochs=len(before),
        repeated=len(now),
        history=history_difference(before, now),
        weights=weights,
        compared=compared,
        left_out=left_out,
        reasons=reasons(run, repetition),
        failure=failure,
    )


Arrays = dict[str, dict[str, Any]]


def _weights(run: RunDir, repetition: RunDir, config: Config, task: Task) -> tuple[Arrays, Arrays, list[str]]:
    """Arrays of both runs by group, and what is left out with the reason."""
    before: Arrays = {}
    now: Arrays = {}
    left_out: list[str] = []
    if run.estimator_file.exists():
        return before, now, [f"{run.estimator_file.name}: its scores on all rows speak for it"]
    try:
        before, now = _checkpoints(run, repetition, config, task)
    except RunDirError as error:
        left_out.append(f"weights: {error.problems[0].message}")
        if task.whole:
            left_out += _add_files("last*.keras", run, repetition, before, now)
    if task.whole or _best_is_within(run, task):
        left_out += _add_files("best*.keras", run, repetition, before, now)
    return before, now, left_out


def _checkpoints(run: RunDir, repetition: RunDir, config: Config, task: Task) -> tuple[Arrays, Arrays]:
    """What the newest generations of both runs hold. Raises RunDirError when they are not of the same moment."""
    from dlrun.engine import checkpointing

    if not task.whole and run.status() == COMPLETED:
        raise RunDirError(f"the run keeps those of its end only, not of epoch {task.epochs}")
    at_the_end = [callback.name for callback in config.callbacks if _changes_weights_at_the_end(callback)]
    if not task.whole and at_the_end:
        raise RunDirError(f"{at_the_end[0]} may change them when training ends, and the run did not get there")
    before, now = (checkpointing.read(one.checkpoint) for one in (run, repetition))
    if (before.epoch, before.step) != (task.epochs, 0):
        raise RunDirError(f"the newest checkpoint of the run is of another moment than the end of epoch {task.epochs}")
    return grouped(before.arrays, _GROUPS), grouped(now.arrays, _GROUPS)


def _changes_weights_at_the_end(callback: Component) -> bool:
    return callback.name == "SwapEMAWeights" or bool(callback.parameters.get("restore_best_weights"))


def _best_is_within(run: RunDir, task: Task) -> bool:
    """Whether the best epoch of a completed run is one of those repeated, and so must be their best, too."""
    try:
        metrics = run.metrics() if run.status() == COMPLETED else {}
    except RunDirError:
        return False
    best = metrics.get("best_epoch")
    return bool(metrics.get("validated")) and isinstance(best, int) and best <= task.epochs


def _add_files(pattern: str, run: RunDir, repetition: RunDir, before: Arrays, now: Arrays) -> list[str]:
    """Add the arrays of models that lie in both runs; what is left out, and why."""
    left_out = []
    for path in sorted(run.path.glob(pattern)):
        try:
            old, new = keras_file_arrays(path), keras_file_arrays(repetition.path / path.name)
        except RunDirError as error:
            left_out.append(str(error.problems[0].message))
            continue
        before[path.name], now[path.name] = old, new
    return left_out


def _record(run: RunDir, found: Verification, task: Task) -> Verification:
    """Add the result to `verifications` in `run.json`; a run that cannot be written is told, for the work is done."""
    entry = {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "epochs": found.epochs,
        "whole": task.whole,
        "equal": found.equal,
        "versions": environment.installed_versions(),
    }
    earlier = run.record().get("verifications")
    try:
        run.update(verifications=[*(earlier if isinstance(earlier, list) else []), entry])
    except RunDirError:
        return Verification(**{**vars(found), "recorded": False})
    return found
