"""The section `training`: how long, in what portions and stages, and what is written meanwhile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from dlrun.config.bases import Section


class Stage(Section):
    """A part of training with an optimizer of its own, that begins anew."""

    epochs: int = Field(description="Passes over the training part; callbacks may end the stage before.", ge=1)
    unfreeze: str | None = Field(
        None,
        description="What learns from here on, too: a layer and those after it in its model, a model inside the model "
        "by its name, or all. Empty: no more than before.",
    )
    learning_rate: float | None = Field(None, description="Empty: that of `optimizer`.", gt=0)


class Training(Section):
    """How long and in what portions."""

    epochs: int = Field(10, description="Passes over the training part; with `stages` the sum of theirs.", ge=1)
    batch_size: int = Field(32, description="Samples per step (Keras' default).", ge=1)
    shuffle: bool = Field(True, description="New sample order in each epoch, a function of (seed, epoch).")
    draws: Literal["permutation", "with_replacement"] = Field(
        "permutation",
        description="permutation: every row once before any comes again; with_replacement: each sample is drawn anew "
        "from all rows (DLwP 6.3.2).",
    )
    steps_per_epoch: int | None = Field(
        None,
        description="Steps that count as an epoch; the next one goes on with the rows that follow. Empty: one pass.",
        ge=1,
    )
    stages: list[Stage] = Field(
        default_factory=list, description="Parts of training, one after the other: first the head, then a base, too."
    )
    class_weight: Literal["balanced"] | dict[str | int, float] | None = Field(
        None, description="Weight of each label in the loss, or 'balanced': n / (classes * count)."
    )
    sample_weight: str | None = Field(
        None, description="Column of the data with a weight for each row in the loss of training; 0 leaves a row out."
    )
    tensorboard: bool = Field(True, description="Write scalars for TensorBoard into the run.")
    checkpoint_every_seconds: float = Field(
        1.0,
        description="Least time between two checkpoints from which the run can be resumed; for large models it is "
        "longer, since writing takes a twentieth of the time at most.",
        ge=0,
    )
    checkpoint_every_steps: int | None = Field(
        None,
        description="Besides, write one every so many steps inside each epoch. Empty: none, but one a minute in epochs "
        "that take longer.",
        ge=1,
    )

    keep: Literal["all", "both", "best", "last", "none"] | None = Field(
        None,
        description="Which weights stay when the run is completed. all: checkpoints, best and last model; both: these "
        "two; best, last: one of them; none. Empty: all; of folds both, of the trials of a sweep those of the best.",
    )
    on_nan: Literal["stop", "rollback"] = Field(
        "stop",
        description="When a loss becomes NaN or infinite. stop: the run fails; rollback: it goes back to the end of "
        "the epoch before, and on with half the learning rate.",
    )
    most_rollbacks: int = Field(3, description="How often a run may go back before it fails (on_nan: rollback).", ge=1)

    def with_epochs(self, epochs: int, began: Sequence[int] = ()) -> Training:
        """A copy of so many epochs in all. The first stages begin where they `began` in a run whose callbacks may have
        ended some before, the others where they are to; the last one that is left takes the rest.
        """
        starts = [*began] or [0]
        for stage in self.stages[len(starts) - 1 : -1]:
            starts.append(starts[-1] + stage.epochs)
        starts = [start for start in starts if start < epochs]
        ends = [*starts[1:], epochs]
        stages = [
            stage.model_copy(update={"epochs": end - start})
            for stage, start, end in zip(self.stages, starts, ends, strict=False)
        ]
        return self.model_copy(update={"epochs": epochs, "stages": stages})

    def samples_per_epoch(self, rows: int) -> int:
        """How many samples an epoch takes of a training part of so many rows."""
        return rows if self.steps_per_epoch is None else self.steps_per_epoch * self.batch_size

    def steps(self, rows: int) -> int:
        """How many steps an epoch has, the last one of a pass being a partial batch perhaps."""
        return math.ceil(self.samples_per_epoch(rows) / self.batch_size)
