"""History, checkpoints and signals of a routine that trains no weights and so has a loop of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlrun.engine import checkpointing
from dlrun.engine.checkpointing import Checkpoint
from dlrun.engine.progress import Progress
from dlrun.engine.recorder import WRITING_SHARE
from dlrun.engine.resolve import Experiment
from dlrun.engine.scalars import ScalarLog
from dlrun.errors import Interrupted, TrainingError
from dlrun.events import EpochDone, ModelReady
from dlrun.files import typed

State = dict[str, np.ndarray]  # all that the next iteration depends on, by name


class LoopRecorder:
    """Keeps what a loop must not lose. One iteration counts as an epoch: a row of `history.csv`, a checkpoint.

    Checkpoints are those of training, with the arrays of the loop in the place of weights, and paced as they are.
    `state` is that of the checkpoint from which the run goes on; None at its start.
    """

    def __init__(self, experiment: Experiment, *, stop_asked: Callable[[], bool]) -> None:
        self.progress = Progress()
        self._run, self._emit, self._stop_asked = experiment.run, experiment.emit, stop_asked
        self._training = experiment.config.training
        self._scalars = ScalarLog(experiment.run.tensorboard) if self._training.tensorboard else None
        self._newest: Checkpoint | None = None
        self._next_writing = -math.inf
        self.state = self._restored() if experiment.resume else None
        self._began = time.perf_counter()

    def _restored(self) -> State:
        found = checkpointing.read(self._run.checkpoint)
        checkpointing.remove_newer(self._run.checkpoint, found)
        self.progress.history, self.progress.seconds = list(found.state["history"]), list(found.state["seconds"])
        self.progress.best_epoch = self.progress.epochs or None
        if self._scalars:
            self._scalars.skip(self.progress.epochs)
        return {name.removeprefix("loop/"): array for name, array in found.arrays.items()}

    def announce(self, parameters: int, mode: str) -> None:
        """Tell how many iterations there will be (`training.epochs`)."""
        direction: Any = mode
        epochs = self._training.epochs
        self._emit(ModelReady(parameters, 0, epochs, steps_per_epoch=1, monitor="loss", mode=direction))

    def keep(self, state: State) -> None:
        """Take this for the state to go on from, as at the start of a loop or where no iteration has ended."""
        self._newest = self._taken(state)

    def end_iteration(self, row: Mapping[str, float], state: State) -> None:
        """Count an iteration as done, after which a run goes on with `state`. Raises TrainingError when its loss is not
        finite.
        """
        row = {name: float(value) for name, value in row.items()}
        self.check_finite(row)
        now = time.perf_counter()
        seconds, self._began = now - self._began, now
        self.progress.end_epoch(row, seconds, stopped=False)
        self.progress.best_epoch = self.progress.epochs
        self._newest = self._taken(state)
        self._emit(EpochDone(self.progress.epochs, row, seconds, best=False))
        if now >= self._next_writing:
            self.write()

    def check_finite(self, row: Mapping[str, float]) -> None:
        """Raise TrainingError when a loss is not finite."""
        for name, value in row.items():
            if not math.isfinite(value):
                raise TrainingError(f"{name} is {value} in iteration {self.progress.epochs + 1}", kind="nan")

    def check_stop(self) -> None:
        """End the run when a signal asked for it, before or inside an iteration. Raises Interrupted."""
        if not self._stop_asked():
            return
        self.write()
        done = self.progress.epochs
        hint = f"go on with: dlrun train --resume {typed(self._run.path)}"
        raise Interrupted(f"stopped after {done} iteration{'s' * (done != 1)}", resumable=True, hint=hint)

    def close(self) -> None:
        """Bring the history to disk, also of a loop that failed."""
        self._write_records()
        if self._scalars:
            self._scalars.close()

    def write(self) -> None:
        """Bring history and checkpoint to disk, as at the end of a loop."""
        began = time.perf_counter()
        self._write_records()
        if self._newest:
            checkpointing.save(self._newest)
        now = time.perf_counter()
        self._next_writing = now + max(self._training.checkpoint_every_seconds, (now - began) / WRITING_SHARE)

    def _write_records(self) -> None:
        if self.progress.epochs:
            self._run.write_history(self.progress.history, self.progress.seconds)
        if self._scalars:
            self._scalars.write(self.progress.history)

    def _taken(self, state: State) -> Checkpoint:
        progress = self.progress
        facts = {
            "format": checkpointing.FORMAT,
            "epoch": progress.epochs,
            "step": 0,
            "history": list(progress.history),
            "seconds": list(progress.seconds),
            "best_epoch": progress.best_epoch,
            "stopped": progress.stopped,
        }
        arrays = {f"loop/{name}": np.array(array) for name, array in state.items()}
        return Checkpoint(self._run.checkpoint / f"{progress.epochs:06d}", facts, arrays)
