"""Every key of a config, and the only list of them. `dlrun schema` prints it as JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr

from dlrun.config.bases import Component, Section
from dlrun.config.needs_schema import Needs
from dlrun.config.sweep_schema import Sweep
from dlrun.config.training_schema import Training
from dlrun.errors import Key, Place
from dlrun.seeds import child_seed

__all__ = ["Component", "Config", "Section"]

FORMAT: Literal[1] = 1
SEEDS_OF_ORDERS = 3  # one run of each says little about an order


class Data(Component):
    """The dataset and its options."""

    name: str = Field(description="A dataset: `dlrun list datasets` shows them.")
    dir: Path | None = Field(None, description="Folder that is searched first for data files (`--data-dir`).")
    sample: bool = Field(False, description="Use small generated stand-in data instead of the files (`--sample`).")


class Fold(Section):
    """One fold of a k-fold cross-validation over the rows that are not test rows."""

    index: int = Field(description="Which fold is the validation part, counted from 0.", ge=0)
    n_splits: int = Field(4, description="Number of folds.", ge=2)
    repeat: int = Field(0, description="Which repetition (reshuffled each time), counted from 0.", ge=0)


class Split(Section):
    """How rows become training, validation and test part."""

    kind: Literal["auto", "head", "shuffled", "stratified", "grouped", "time", "given"] = Field(
        "auto",
        description="head: first rows validate, no shuffling; shuffled; stratified: equal class shares; grouped: rows "
        "of a group stay together; time: later rows validate, still later ones test; given: the dataset's own parts. "
        "auto: given if the dataset has a validation part, else stratified for classes, shuffled for numbers.",
    )
    validation: int | float | Literal["test"] = Field(
        0.2,
        description="Share (0 to 1) or number (an integer) of the rows that are not test rows; 0 for none; 'test' to "
        "validate on the test part, as some printed examples do.",
    )
    test: int | float | None = Field(
        None,
        description="Share or number of all rows. Empty: the dataset's own test part if it has one, else 0.2.",
    )
    training: int | float | None = Field(
        None, description="Share or number of the rows left for training; the others are not used. Empty: all of them."
    )
    group: str | None = Field(None, description="Column whose equal values stay together (kind: grouped).")
    time: str | None = Field(None, description="Column that orders the rows (kind: time). Empty: row order.")
    seed: int | None = Field(None, description="Empty: derived from the top seed.", ge=0, lt=2**31)
    fold: Fold | None = Field(None, description="Set in the children of `dlrun kfold`.")


class Kfold(Section):
    """How `dlrun kfold` divides the rows that are not test rows, and how it reads the folds' curves."""

    n_splits: int = Field(4, description="Number of folds.", ge=2)
    kind: Literal["auto", "head", "shuffled", "stratified", "grouped", "time"] | None = Field(
        None, description="How rows become folds, as `split.kind`; head: contiguous. Empty: that of `split`."
    )
    repeats: int = Field(1, description="How often all folds are run, reshuffled before each.", ge=1)
    smoothing: float | None = Field(
        None,
        description="Factor of the moving average over the mean curve (DLwP listing 3-31). Empty: 1 - 50 / epochs, at "
        "most 0.9: the book's 0.9 for its 500 epochs, none below 50.",
        ge=0,
        lt=1,
    )
    dropped_epochs: int | None = Field(
        None,
        description="First epochs that the smoothed curve leaves out. Empty: a fiftieth, at most 10: the book's 10 for "
        "its 500 epochs.",
        ge=0,
    )


class Output(Section):
    """What one of several outputs learns by; the key above it is the name of its task."""

    loss: str | dict[str, Any] | None = Field(None, description="A Keras loss. Empty: by the task (DLwP table 4-1).")
    weight: float = Field(1.0, description="Factor of this loss in the sum that is minimised.", ge=0)
    metrics: list[str | dict[str, Any]] | None = Field(None, description="Keras metrics. Empty: by the task.")


class Monitor(Section):
    """The one definition of best: early stopping, best checkpoint, rankings."""

    metric: str | None = Field(None, description="Empty: val_loss, or loss without a validation part.")
    mode: Literal["auto", "min", "max"] = Field("auto", description="auto: max for accuracies and the like, else min.")


class Runtime(Section):
    """Where and how exactly the run computes."""

    backend: Literal["tensorflow", "jax"] = Field("tensorflow", description="Keras backend.")
    device: str = Field("auto", description="auto, cpu, gpu, or gpu:N.", pattern=r"^(auto|cpu|gpu(:\d+)?)$")
    threads: int | None = Field(None, description="Threads for the arithmetic. Empty: all cores.", ge=1)
    precision: Literal["float32", "float64", "bfloat16", "float16", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="Keras dtype policy."
    )
    deterministic: bool | Literal["auto"] = Field(
        "auto",
        description="Only operations that give the same bits each time. auto: on a CPU, where it was measured to cost "
        "nothing; on a GPU it is slower.",
    )
    execution: Literal["auto", "stepwise", "whole_epoch"] = Field(
        "auto",
        description="How an epoch is driven: stepwise by model.fit, or whole_epoch in a few compiled calls. auto: "
        "whole_epoch unless the data streams from files or a callback acts on batches.",
    )
    jit_compile: bool | Literal["auto"] = Field(
        "auto", description="XLA. auto: where it is expected to save more time than compiling takes."
    )
    strategy: Literal["none", "mirrored", "data_parallel"] = Field(
        "none",
        description="How all devices of a machine share each batch of one run: mirrored (TensorFlow) or data_parallel "
        "(JAX). Needs two or more.",
    )


class Expect(Section):
    """One result that the source of this experiment states: a value with its tolerance, or an order."""

    metric: str = Field(
        description="val_accuracy, loss, ... as logged; test_accuracy, ... as `dlrun evaluate` scores it; "
        "baseline_val_mae, ...: what a run that never looks at the inputs scores; best_epoch; parameters; of a k-fold "
        "study recommended_epochs.",
    )
    at: Literal["best", "own_best", "last", "last_10"] | int = Field(
        "best",
        description="Which epoch: best by `monitor`; own_best: where this metric is at its best; last; last_10: mean "
        "of the last ten; or its number.",
    )
    value: float | None = Field(None, description="The stated value.")
    tolerance: float | None = Field(
        None, description="How far the result may be off, either way. Empty: for best_epoch and parameters 0.", ge=0
    )
    below: float | str | None = Field(
        None, description="In place of a value: a number, the name of another config, or `baseline`; this is lower."
    )
    above: float | str | None = Field(None, description="As `below`; this is higher.")
    margin: float | None = Field(None, description="By how much at least, for `below` and `above`.", ge=0)
    seeds: int | None = Field(
        None, description="Mean over so many runs, from `seed` on. Empty: 1 for a value, 3 for an order.", ge=1
    )
    after: Literal["train", "retrain"] = Field(
        "train", description="Which run: this one, or that of `dlrun retrain` after it."
    )
    source: str = Field("", description="Section, listing, and where the tolerance is from.")

    @property
    def is_order(self) -> bool:
        """Whether it says below or above what, in place of a value."""
        return self.value is None

    @property
    def runs(self) -> int:
        """How many runs it takes, each with a seed of its own."""
        return self.seeds or (SEEDS_OF_ORDERS if self.is_order else 1)


class Config(Section):
    """An experiment."""

    format: Literal[1] = Field(FORMAT, description="Version of the config format.")
    name: str = Field(
        "", description="Names the folder of the runs. Empty: the file's name.", pattern=r"^(\w[\w.-]{0,63})?$"
    )
    description: str = Field("", description="For readers.")
    seed: int = Field(1, description="Root of the seed tree.", ge=0, lt=2**31)
    plugins: list[Path] = Field(default_factory=list, description="Python files that register your own components.")
    data: Data = Field(description="What is learned from.")
    split: Split = Field(default_factory=Split, description="Training, validation and test part.")  # type: ignore[arg-type]
    model: Component | None = Field(None, description="What learns: `dlrun list models` shows them.")
    routine: Component = Field(Component(name="fit"), description="How the run spends its time.")
    optimizer: Component = Field(Component(name="rmsprop"), description="A Keras optimizer and its arguments.")
    loss: str | dict[str, Any] | None = Field(None, description="A Keras loss. Empty: by the task (DLwP table 4-1).")
    metrics: list[str | dict[str, Any]] | None = Field(None, description="Keras metrics. Empty: by the task.")
    outputs: dict[str, Output] = Field(
        default_factory=dict, description="Loss, weight and metrics by task, for data with several tasks."
    )
    training: Training = Field(default_factory=Training, description="Epochs, batches.")  # type: ignore[arg-type]
    monitor: Monitor = Field(default_factory=Monitor, description="The definition of best.")  # type: ignore[arg-type]
    callbacks: list[Component] = Field(default_factory=list, description="Callbacks and their arguments.")
    runtime: Runtime = Field(default_factory=Runtime, description="Device, threads, precision.")  # type: ignore[arg-type]
    needs: Needs | None = Field(None, description="What a run asks of the machine; read by `dlrun batch`.")
    kfold: Kfold | None = Field(None, description="The folds of `dlrun kfold`; `dlrun train` passes it over.")
    sweep: Sweep | None = Field(None, description="The search of `dlrun sweep`; `dlrun train` passes it over.")
    expect: list[Expect] = Field(default_factory=list, description="Results stated by the source.")
    small: dict[str, Any] = Field(
        default_factory=dict,
        description="What `--scale small` sets for a run that takes hours on a CPU, by dotted key: "
        "{training.epochs: 5}.",
    )
    shortened: dict[str, Any] = Field(
        default_factory=dict,
        description="Written by `--scale small`: what stood there before, by dotted key; null where nothing did.",
    )

    _origins: dict[Key, Place] = PrivateAttr(default_factory=dict)

    def output(self, task: str) -> Output:
        """Loss, weight and metrics of a task: its entry in `outputs`, else what the top keys say for the only task."""
        return self.outputs.get(task) or Output(loss=self.loss, metrics=self.metrics)  # type: ignore[call-arg]

    @property
    def training_seed(self) -> int:
        """Root of what training draws: weights, order of samples. Each fold has its own, so that folds of the same data
        do not begin with the same weights.
        """
        fold = self.split.fold
        return child_seed(self.seed, "fold", fold.repeat, fold.index) if fold else self.seed

    def place(self, key: Key) -> Place | None:
        """Where the value at `key`, or the nearest section around it, was written; None for defaults."""
        while key:
            if key in self._origins:
                return self._origins[key]
            key = key[:-1]
        return None


def with_section(config: Config, name: str, **values: Any) -> Config:
    """A copy of the config with some keys of a section changed."""
    return config.model_copy(update={name: getattr(config, name).model_copy(update=values)})
