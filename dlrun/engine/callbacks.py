"""The callbacks of a run: Keras' own from the config, and the recorder of history, best weights, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun.config.schema import Component, Config
from dlrun.engine import checkpointing
from dlrun.engine.checkpointing import Checkpoint, Progress
from dlrun.engine.saving import save_models
from dlrun.engine.scalars import ScalarLog
from dlrun.errors import ConfigError, Interrupted, TrainingError, did_you_mean, listing
from dlrun.events import EpochDone, OnEvent, StepDone
from dlrun.files import first_line, short
from dlrun.keras_names import CALLBACK_PATHS
from dlrun.run_dir import RunDir

REPORT_SECONDS = 0.1
WRITING_SHARE = 0.05
FINISH_SECONDS = 5.0  # an epoch as short as this is finished when the run is asked to stop


def make_callbacks(
    config: Config, run: RunDir, monitor: tuple[str, str], logged: Sequence[str] = ()
) -> list[keras.callbacks.Callback]:
    """Keras callbacks by name. The config's `monitor` is the default of every callback that monitors something, and
    paths lead into the run.

    Raises ConfigError when Keras has no such callback or refuses the arguments, or when one monitors what is not among
    the names `logged` (unless that is empty: not known).
    """
    return [
        _make_callback(component, position, run, dict(zip(("monitor", "mode"), monitor, strict=True)), logged)
        for position, component in enumerate(config.callbacks)
    ]


def _make_callback(
    component: Component, position: int, run: RunDir, monitored: dict[str, str], logged: Sequence[str]
) -> keras.callbacks.Callback:
    cls = getattr(keras.callbacks, component.name, None)
    key = ("callbacks", position)
    if not (isinstance(cls, type) and issubclass(cls, keras.callbacks.Callback)):
        raise ConfigError(f"Keras has no callback {component.name}", key=(*key, "name"))
    accepted = signature(cls).parameters
    arguments = dict(component.parameters)
    if "monitor" in accepted and "monitor" not in arguments:
        arguments = {name: value for name, value in monitored.items() if name in accepted} | arguments
    watched = str(arguments.get("monitor", ""))
    if watched and logged and watched not in logged:
        hint = did_you_mean(watched, logged)
        raise ConfigError(f"{watched} is not logged", key=(*key, "monitor"), expected=listing(logged), hint=hint)
    arguments = _paths_into(run.path, component.name, arguments)
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Keras refuses the arguments of {component.name}: {first_line(error)}", key=key) from error


def _paths_into(folder: Path, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Paths that a callback writes to, inside the run unless they are absolute."""
    if name not in CALLBACK_PATHS:
        return arguments
    argument, default = CALLBACK_PATHS[name]
    path = folder / str(arguments.get(argument) or default)
    path.parent.mkdir(parents=True, exist_ok=True)
    return {**arguments, argument: str(path)}


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    """Logs as numbers. Raises ConfigError for one that is an array."""
    for name, value in logs.items():
        if np.ndim(value):
            raise ConfigError(
                f"{name} is logged as {np.size(value)} values, and a history keeps one number",
                key=("metrics",),
                hint="metrics such as F1Score give one with average: macro",
            )
    return {name: float(value) for name, value in logs.items()}


@dataclass(frozen=True)
class RecordingPlan:
    """What a recorder keeps, where, and how often.

    `saved_models` are the models the run leaves behind by name. Without a validation part (`validated` false) the last
    epoch counts as the best. `tensorboard` asks for scalars; a config's own TensorBoard callback writes them itself.
    """

    run: RunDir
    monitor: str
    mode: str
    validated: bool
    saved_models: dict[str, keras.Model]
    every_seconds: float
    tensorboard: bool


class RunRecorder(keras.callbacks.Callback):
    """Keeps what a run must not lose. It stands last, so that it sees what the other callbacks did.

    After each epoch: history, best weights in memory. Paced by time, and at the end: `history.csv`, a checkpoint,
    scalars for TensorBoard and the best model on disk; writing never takes more than WRITING_SHARE of the time. Stops
    the run when a signal asked for it and when the loss is not a number.
    """

    def __init__(
        self,
        plan: RecordingPlan,
        others: Sequence[keras.callbacks.Callback],
        emit: OnEvent,
        *,
        stop_asked: Callable[[], bool],
        checkpoint: Checkpoint | None,
    ) -> None:
        super().__init__()
        self.plan, self.run = plan, plan.run
        self.others, self.emit, self.stop_asked, self.checkpoint = list(others), emit, stop_asked, checkpoint
        self.progress = Progress()
        self._reported = self._next_writing = -math.inf
        self._best_on_disk: int | None = None
        self._epoch, self._ended = 0, 0.0
        self._scalars = ScalarLog(plan.run.tensorboard) if plan.tensorboard else None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.checkpoint:
            self.progress = checkpointing.restore(self.checkpoint, self.model, self.others)
            if self._scalars:
                self._scalars.skip(self.progress.epochs)
        self._ended = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.on_steps(batch + 1, logs or {})

    def on_steps(self, steps: int, logs: dict[str, Any]) -> None:
        """Report the steps done in this epoch. Raises Interrupted when a stop was asked for, TrainingError for a loss
        that is not finite.
        """
        if self.stop_asked() and not (self.progress.seconds and self.progress.seconds[-1] <= FINISH_SECONDS):
            if self.progress.best_weights is not None and self.progress.best_epoch != self._best_on_disk:
                self._save_best()
            raise self._interruption()
        now = time.perf_counter()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            values = _numbers(logs)
            self._check_finite(values, f"by step {steps}")
            self.emit(StepDone(self._epoch, steps, values))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        row = _numbers(logs or {})
        self._check_finite(row, "at its end")
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            row.setdefault("learning_rate", float(optimizer.learning_rate))
        now = time.perf_counter()
        seconds, self._ended = now - self._ended, now
        self.progress.history.append(row)
        self.progress.seconds.append(seconds)
        self.progress.stopped = bool(self.model.stop_training)
        improved = self._keep_if_best(row)
        self.emit(EpochDone(epoch + 1, row, seconds, improved))
        stop = self.stop_asked()
        if stop or now >= self._next_writing:
            self.write()
        if stop:
            raise self._interruption()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.write()
        if self._scalars:
            self._scalars.close()
        if self.progress.epochs and self.progress.best_epoch is None:
            raise TrainingError(f"{self.plan.monitor} was never a number", kind="nan", key=("monitor", "metric"))

    def _interruption(self) -> Interrupted:
        done = self.progress.epochs
        if not done:
            return Interrupted("stopped in the first epoch: nothing to go on from", resumable=False)
        kept = checkpointing.generations(self.run.checkpoint)[0].name.lstrip("0")
        again = "" if kept == str(done) else f"; the last checkpoint is of epoch {kept}, later ones are computed again"
        return Interrupted(
            f"stopped after {done} epoch{'s' if done > 1 else ''}{again}",
            resumable=True,
            hint=f"go on with: dlrun train --resume {short(self.run.path)}",
        )

    def _check_finite(self, values: dict[str, float], when: str) -> None:
        broken = [name for name, value in values.items() if not math.isfinite(value) and "loss" in name]
        if broken:
            raise TrainingError(
                f"{broken[0]} became {values[broken[0]]} in epoch {self._epoch} ({when})",
                kind="nan",
                hint="try a smaller optimizer.learning_rate, or optimizer.clipnorm: 1.0",
            )

    def _keep_if_best(self, row: dict[str, float]) -> bool:
        """Keep the weights of the best epoch; without a validation part the last one counts as the best."""
        value = row.get(self.plan.monitor)
        if value is None:
            known = ", ".join(row)
            raise ConfigError(f"{self.plan.monitor} was not logged", key=("monitor", "metric"), expected=known)
        before = self.progress.best_epoch
        if self.plan.validated and not math.isfinite(value):
            return False
        if self.plan.validated and before is not None:
            best = self.progress.history[before - 1][self.plan.monitor]
            if not (value < best if self.plan.mode == "min" else value > best):
                return False
        self.progress.best_epoch = self.progress.epochs
        if self.plan.validated:
            self.progress.best_weights = self.model.get_weights()
        return self.plan.validated

    def write(self) -> None:
        """Bring everything kept in memory to disk."""
        if not self.progress.epochs:
            return
        began = time.perf_counter()
        self.run.write_history(self.progress.history, self.progress.seconds)
        if self._scalars:
            self._scalars.write(self.progress.history)
        checkpointing.save(self.run.checkpoint, self.model, self.others, self.progress)
        if self.progress.best_epoch not in (None, self._best_on_disk):
            self._save_best()
        now = time.perf_counter()
        self._next_writing = now + max(self.plan.every_seconds, (now - began) / WRITING_SHARE)

    def _save_best(self) -> None:
        if self.progress.best_weights is None:
            save_models(self.run, "best", self.plan.saved_models)
        else:
            current = self.model.get_weights()
            self.model.set_weights(self.progress.best_weights)
            save_models(self.run, "best", self.plan.saved_models)
            self.model.set_weights(current)
        self._best_on_disk = self.progress.best_epoch
