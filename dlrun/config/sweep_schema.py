"""The section `sweep`: what `dlrun sweep` searches, and how."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field

from dlrun.config.bases import Section

Whole: TypeAlias = int  # `int` and `float` are keys below
Real: TypeAlias = float


class Dimension(Section):
    """The values that a key of the config can take: one of `choice`, `int`, `float`."""

    choice: list[Any] | None = Field(None, description="Any of these.")
    int: list[Whole] | None = Field(None, description="An integer from the first of two to the second.")
    float: list[Real] | None = Field(None, description="A number from the first of two to the second.")
    log: bool = Field(False, description="Drawn on a logarithmic scale, as fits learning rates and sizes.")
    step: Real | None = Field(None, description="Only the first bound plus a multiple of this.", gt=0)
    layers: list[Whole] | None = Field(
        None,
        description="Fewest and most entries: the value is a list of so many, each drawn as the rest says, as for "
        "`model.hidden`.",
    )
    when: dict[str, Any] | None = Field(
        None, description="Only where earlier keys of the space have these values, or one of a list of values."
    )


class Sweep(Section):
    """How `dlrun sweep` searches for better values of other keys."""

    space: dict[str, Dimension] = Field(
        description="What each key can be, by its dotted path: {optimizer.learning_rate: {float: [1e-4, 1e-1], log: "
        "true}}."
    )
    objective: Literal["holdout", "kfold"] = Field(
        "holdout",
        description="holdout: `monitor` at the best epoch of the run; kfold: its mean over the folds of `kfold` at the "
        "recommended epoch.",
    )
    n_trials: int = Field(30, description="Trials in all, those before a restart counted.", ge=1)
    sampler: Literal["random", "tpe", "cmaes", "grid", "qmc"] = Field(
        "tpe", description="How values are drawn: those of Optuna; grid: all combinations in order."
    )
    pruner: Literal["none", "median", "hyperband"] = Field(
        "median",
        description="Which trials are stopped early: none; median: those whose best so far is worse than the median of "
        "the others at that epoch; hyperband: by successive halving.",
    )
    startup_trials: int = Field(5, description="The median is not asked before so many have ended.", ge=1)
    warmup_epochs: int = Field(3, description="Epochs of each trial that are never pruned.", ge=0)
    storage: str | None = Field(None, description="URL of Optuna's storage. Empty: a journal file in the study.")
