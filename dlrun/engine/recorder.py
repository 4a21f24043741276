"""The recorder of a run: history, best weights and checkpoints, and the end that a signal or a broken loss makes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dlrun.engine import checkpointing
from dlrun.engine.callbacks import continue_logs, csv_logs
from dlrun.engine.checkpointing import Checkpoint
from dlrun.engine.divergence import Diverged, LossWatch, final, rollback_told
from dlrun.engine.exactness import tell_inexact_resume
from dlrun.engine.progress import Progress
from dlrun.engine.restoring import restore, restore_metrics
from dlrun.engine.saving import save_models
from dlrun.engine.scalars import ScalarLog
from dlrun.engine.variables import (
    best_state,
    learning_rates,
    rates_can_be_set,
    set_best_state,
    set_learning_rates,
    weights_are_finite,
)
from dlrun.errors import ConfigError, Interrupted, TrainingError
from dlrun.events import EpochDone, Note, OnEvent, StepDone
from dlrun.files import typed
from dlrun.run_dir import RunDir

REPORT_SECONDS = 0.1
WRITING_SHARE = 0.05
LONG_EPOCH_SECONDS = 60.0  # the most of a long epoch that a killed run computes again


@dataclass(frozen=True)
class RecordingPlan:
    """What a recorder keeps, where, and how often; `most_rollbacks` is how often a run may go back.

    `saved_models` are the models the run leaves behind by name. Without a validation part (`validated` false) the last
    epoch counts as the best. `tensorboard` asks for scalars; a config's own TensorBoard callback writes them itself.
    """

    run: RunDir
    monitor: str
    mode: str
    validated: bool
    saved_models: dict[str, keras.Model]
    every_seconds: float
    every_steps: int | None
    tensorboard: bool
    most_rollbacks: int = 0


class RunRecorder(keras.callbacks.Callback):
    """Keeps what a run must not lose. It stands last, so that it sees what the other callbacks did.

    After each epoch: history, best weights in memory. Paced by time, and at the end: `history.csv`, a checkpoint,
    scalars for TensorBoard and the best model on disk; writing never takes more than WRITING_SHARE of the time, except
    where the config asks for a checkpoint every so many steps. Stops the run when a signal asked for it and when a loss
    is not finite, which `watch` finds. A run that may roll back keeps the end of its last whole epoch in memory.
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
        self.progress, self.watch = Progress(), LossWatch(weights=plan.most_rollbacks > 0)
        self._good: Checkpoint | None = None
        self._csv_logs = csv_logs(others)
        if checkpoint:
            continue_logs(self._csv_logs, checkpoint.epoch)
        self._reported = self._next_writing = self._next_history = self._next_inside = -math.inf
        self._best_on_disk: int | None = None
        self._epoch, self._began, self._begun = 0, 0.0, False
        self._scalars = ScalarLog(plan.run.tensorboard) if plan.tensorboard else None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        now = time.perf_counter()
        if not self._begun:  # here, because callbacks make what they remember when training begins
            tell_inexact_resume(self.run, self.emit, self.others, resumed=self.checkpoint is not None)
        self._begun = True
        if self.checkpoint:
            self.progress = restore(self.checkpoint, self.model, self.others)
            checkpointing.remove_newer(self.run.checkpoint, self.checkpoint)
            if self._scalars:
                self._scalars.skip(self.progress.epochs)
        if self.plan.most_rollbacks:
            set_learning_rates(self.model, learning_rates(self.model))  # refused now, not when it is needed
            self._good = self.checkpoint.good if self.checkpoint else self._taken().copied()
        if self.checkpoint or self.plan.most_rollbacks:
            self._record_rollbacks()
        self._began = now - self.progress.elapsed
        self._next_inside = now + LONG_EPOCH_SECONDS

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1
        if self.progress.step and self.checkpoint:  # Keras has reset the metrics, and callbacks have begun an epoch
            restore(self.checkpoint, self.model, self.others)
            restore_metrics(self.checkpoint, self.model)
            self.watch.step = self.progress.step

    def on_steps(self, steps: int, logs: dict[str, Any]) -> None:
        """As `on_train_batch_end`, after several steps with the last one's logs as plain numbers."""
        self.watch.note(steps, logs)
        self.watch.look()
        self.on_train_batch_end(steps - 1, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the steps done in this epoch, and write a checkpoint where one is due. Raises Interrupted when a stop
        was asked for, Diverged for a loss that is not finite.
        """
        now, stop, steps = time.perf_counter(), self.stop_asked(), batch + 1
        self.progress.step = steps
        due = stop or now >= self._next_inside or (self.plan.every_steps and steps % self.plan.every_steps == 0)
        if not due and now - self._reported < REPORT_SECONDS:
            return
        self.watch.look()
        values = _numbers(logs or {})
        if due and weights_are_finite(self.model):  # else the next step ends the epoch, and this one was no good
            self.progress.logs, self.progress.elapsed = values, now - self._began
            self.write()
        if stop:
            raise self._interruption()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self.emit(StepDone(self._epoch, steps, values))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        row = _numbers(logs or {})
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            row.setdefault("learning_rate", float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
        now, stop, stopped = time.perf_counter(), self.stop_asked(), bool(self.model.stop_training)
        last = stopped or epoch + 1 == self.params.get("epochs")
        due = stop or last or now >= self._next_writing
        if due:
            self.watch.check_weights(self.model)
        seconds, self._began = now - self._began, now
        self.progress.end_epoch(row, seconds, stopped=stopped)
        improved = self._keep_if_best(row)
        if self._good:
            self._good = self._taken().copied()
        self.emit(EpochDone(epoch + 1, row, seconds, improved))
        if due:
            self.write()
        elif now >= self._next_history:
            self._write_history()
        if stop and not last:
            raise self._interruption()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        # The checkpoint was written when the last epoch ended. Since then Keras may have put averaged or earlier
        # weights into the model, with which no further epoch could begin.
        self._write_records()
        if self._scalars:
            self._scalars.close()
        if self.progress.epochs and self.progress.best_epoch is None:
            raise TrainingError(f"{self.plan.monitor} was never a number", kind="nan", key=("monitor", "metric"))

    def _interruption(self) -> Interrupted:
        done, step = self.progress.epochs, self.progress.step
        where = f"step {step} of epoch {done + 1}" if step else f"{done} epoch{'s' if done > 1 else ''}"
        return Interrupted(
            f"stopped after {where}", resumable=True, hint=f"go on with: dlrun train --resume {typed(self.run.path)}"
        )

    @property
    def stage(self) -> int:
        """The stage that trains, or from whose checkpoint training goes on, counted from 0."""
        return self.checkpoint.stage if self.checkpoint else self.progress.stage

    @property
    def stage_began(self) -> int:
        """Epochs done when it began."""
        return self.checkpoint.stage_began if self.checkpoint else self.progress.stage_began

    def next_stage(self, following: int) -> None:
        """Let the stage `following`, counted from 0, begin: with callbacks as new, and no checkpoint to go on from.

        Raises Interrupted when a stop was asked for.
        """
        if self.stop_asked():
            raise self._interruption()
        self.progress.stage, self.progress.stage_began, self.progress.stopped = following, self.progress.epochs, False
        self.checkpoint = None
        continue_logs(self._csv_logs, self.progress.epochs)

    def roll_back(self, diverged: Diverged) -> None:
        """Go back to the end of the last whole epoch with half the learning rate: training begins anew from
        `checkpoint`. Raises Diverged, with what is kept of the run, when it may not or has done so too often.
        """
        rollbacks, most = len(self.progress.rollbacks), self.plan.most_rollbacks
        if self._good is None or rollbacks >= most:
            raise final(
                diverged, self.run, rollbacks, may_roll_back=not most and rates_can_be_set(self.model)
            ) from None
        for callback in self.others:
            if isinstance(callback, keras.callbacks.TensorBoard):  # it would open its files a second time
                callback.on_train_end()
        self.progress = restore(self._good, self.model, self.others)
        before = learning_rates(self.model)
        set_learning_rates(self.model, [rate / 2 for rate in before])
        after = learning_rates(self.model)
        rate = after[0] if len(after) == 1 else after
        self.progress.rollbacks.append({"epoch": diverged.epoch, "step": diverged.step, "learning_rate": rate})
        self._good = self.checkpoint = self._taken().copied()
        checkpointing.remove_newer(self.run.checkpoint, self._good)
        continue_logs(self._csv_logs, self._good.epoch)
        self._record_rollbacks()
        self.write()
        told = rollback_told(diverged, self.progress.epochs, before, after, f"{rollbacks + 1} of {most}")
        self.emit(Note(told))

    def _record_rollbacks(self) -> None:
        if self.run.record().get("rollbacks", []) != self.progress.rollbacks:
            self.run.update(rollbacks=self.progress.rollbacks)

    def _taken(self) -> Checkpoint:
        return checkpointing.take(self.run.checkpoint, self.model, self.others, self.progress)

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
            self.progress.best_weights = best_state(self.model)
        return self.plan.validated

    def write(self) -> None:
        """Bring everything kept in memory to disk."""
        began = time.perf_counter()
        self._write_records()
        checkpointing.save(self._taken(), self._good)
        now = time.perf_counter()
        rest = (now - began) / WRITING_SHARE
        self._next_writing = now + max(self.plan.every_seconds, rest)
        self._next_inside = now + max(LONG_EPOCH_SECONDS, rest)

    def _write_records(self) -> None:
        """Write what is not the checkpoint: history, scalars, the best model."""
        if not self.progress.epochs:
            return
        self._write_history()
        if self._scalars:
            self._scalars.write(self.progress.history)
        if self.progress.best_epoch not in (None, self._best_on_disk):
            self._save_best()

    def _write_history(self) -> None:
        """Bring the history to disk, more often than checkpoints: a sweep watches it."""
        began = time.perf_counter()
        self.run.write_history(self.progress.history, self.progress.seconds)
        now = time.perf_counter()
        self._next_history = now + max(self.plan.every_seconds, (now - began) / WRITING_SHARE)

    def _save_best(self) -> None:
        if self.progress.best_weights is None:
            save_models(self.run, "best", self.plan.saved_models)
        else:
            current = best_state(self.model)
            set_best_state(self.model, self.progress.best_weights)
            save_models(self.run, "best", self.plan.saved_models)
            set_best_state(self.model, current)
        self._best_on_disk = self.progress.best_epoch


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
