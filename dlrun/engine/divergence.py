"""A loss that is not finite: in which step it first was, and what the end of such a run says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from dlrun.engine import checkpointing
from dlrun.engine.losses import logged_losses
from dlrun.engine.variables import weights_are_finite
from dlrun.errors import TrainingError
from dlrun.files import typed
from dlrun.run_dir import RunDir


class Diverged(TrainingError):
    """A loss, or at the end of an epoch a weight, is NaN or infinite; `told` says which, and where."""

    def __init__(self, told: str, epoch: int, step: int, *, more: str = "", hint: str | None = None) -> None:
        super().__init__(f"{told}{more}", kind="nan", hint=hint)
        self.told, self.epoch, self.step = told, epoch, step


class LossWatch(keras.callbacks.Callback):
    """Finds the first step of an epoch with a loss that is not finite.

    It stands before the other callbacks, so that none of them acts on such an epoch. Steps are looked at when the
    recorder asks for it, for to look at each would be to wait for each. `weights` says whether those must be finite at
    the end of each epoch, too.
    """

    def __init__(self, *, weights: bool = False) -> None:
        super().__init__()
        self._weights = weights
        self.step = 0  # the last one of this epoch
        self._epoch = 0
        self._unseen: list[tuple[int, Mapping[str, Any]]] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self.step, self._unseen = epoch + 1, 0, []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.note(batch + 1, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.look()
        self._check(logs or {}, self.step, "after")
        if self._weights:
            self.check_weights(self.model)

    def note(self, step: int, logs: Mapping[str, Any]) -> None:
        """Keep what a step has logged for the next look."""
        self.step = step
        self._unseen.append((step, logs))

    def look(self) -> None:
        """Raise Diverged for the first step since the last look whose loss is not finite."""
        unseen, self._unseen = self._unseen, []
        for step, logs in unseen:
            self._check(logs, step, "in")

    def check_weights(self, model: keras.Model) -> None:
        """Raise Diverged when the last step of an epoch has left weights that are not finite."""
        if not weights_are_finite(model):
            raise self._diverged("the weights are nan or infinite", self.step, "after")

    def _check(self, logs: Mapping[str, Any], step: int, when: str) -> None:
        for name, value in logged_losses(logs):
            numbers = keras.ops.convert_to_numpy(value)
            if not np.isfinite(numbers).all():
                raise self._diverged(f"{name} became {numbers}", step, when)

    def _diverged(self, what: str, step: int, when: str) -> Diverged:
        return Diverged(f"{what} {when} step {step} of epoch {self._epoch}", self._epoch, step)


def rollback_told(diverged: Diverged, epochs: int, before: Sequence[float], after: Sequence[float], of: str) -> str:
    """What a run says that goes back to the end of the last whole epoch; `of` counts the rollbacks."""
    where = f"the end of epoch {epochs}" if epochs else "the start"
    rates = ", ".join(f"{one:.4g} -> {other:.4g}" for one, other in zip(before, after, strict=True))
    return f"{diverged.told}: back to {where} with half the learning rate, {rates} (rollback {of})"


def final(diverged: Diverged, run: RunDir, rollbacks: int, *, may_roll_back: bool) -> Diverged:
    """The error that ends the run: with what is kept of it, and what may help."""
    kept = checkpointing.newest(run.checkpoint)
    more = f", after {rollbacks} rollback{'s' if rollbacks > 1 else ''}" if rollbacks else ""
    more += f"\nthe checkpoint {kept} is kept" if kept else "\nthere is no checkpoint from before"
    hint = "try a smaller optimizer.learning_rate, or optimizer.clipnorm: 1.0"
    if may_roll_back:
        hint = (
            f"to go on with half the rate: dlrun train --resume {typed(run.path)} -s training.on_nan=rollback\n{hint}"
        )
    return Diverged(diverged.told, diverged.epoch, diverged.step, more=more, hint=hint)
