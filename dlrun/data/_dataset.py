"""A dataset at rest, and the encoder that turns its rows into batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlrun.errors import DataError
from dlrun.spec import DataSpec, InputSpec, Task

Arrays = dict[str, np.ndarray]


class Encoder:
    """Everything that stands between raw rows and the model's inputs, in three stages.

    `read` (files) and `read_values` (rows in memory) bring the user's raw rows into arrays, `apply` brings arrays to
    rest (after `fit` learned from the training rows), `batch` makes a batch in the graph, `augment` changes batches of
    training. All of it survives in the run as JSON: `get_state`, `from_state`. Raw arrays are those of `Dataset.raw`
    and `Dataset.shared` together; a shared array keeps its name when it comes to rest. The base class suits
    arrays that need nothing but a gather.
    """

    kind: ClassVar[str]
    texts: ClassVar[bool] = False  # whether a string in memory is a row; otherwise it names a file

    def inputs(self) -> dict[str, InputSpec]:
        """The model's inputs by name; known after `fit`."""
        raise NotImplementedError

    def fit(self, raw: Arrays, rows: np.ndarray) -> None:
        """Learn from the given rows (indices of the training part) of the raw arrays."""

    def apply(self, raw: Arrays) -> Arrays:
        """Raw arrays to arrays at rest, row by row: `(rows, ...)` each, shared arrays aside."""
        return raw

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """Inputs of the model for the rows `indices` `(batch,)`, in `keras.ops`: a tensor `(batch, ...)`, or a dict
        of tensors by input name when there are several inputs. `arrays` are tensors made from the arrays at rest, the
        shared ones included.
        """
        raise NotImplementedError

    def augment(self, inputs: Any, seed: Any) -> Any:
        """A random variation of what `batch` returned, same shapes, in `keras.ops`; the same when there is none.

        Called for batches of training only. `seed` goes to `keras.random`: a `keras.random.SeedGenerator`, or an
        integer that differs from batch to batch.
        """
        return inputs

    def word_ids(self) -> Mapping[str, int]:
        """The id of each word, of texts whose ids the model gets; empty for all else."""
        return {}

    def target_scale(self, task: str) -> TargetScale | None:
        """The scale of a regression's targets as the encoder has learned it; None: that of the training targets."""
        return None

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """The user's raw rows for `predict`. Raises DataError naming file, row and column."""
        raise NotImplementedError

    def read_values(self, values: Any) -> Arrays:
        """As `read`, of rows that the user has in memory: a table, an array, a list. Raises DataError."""
        raise DataError("the data of this run is read from files only", hint="name the files")

    def row_count(self, raw: Arrays) -> int:
        """How many rows the raw arrays from `read` stand for."""
        return len(next(iter(raw.values()), ()))

    def describe(self, raw: Arrays, row: int) -> str:
        """A short text for one raw row, shown beside predictions."""
        return f"row {row + 1}"

    def get_state(self) -> dict[str, Any]:
        """All that `from_state` needs, as JSON values."""
        raise NotImplementedError

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Encoder:
        """The encoder as it was when its state was taken."""
        raise NotImplementedError


ENCODERS: dict[str, type[Encoder]] = {}


def encoder(kind: str) -> Callable[[type[Encoder]], type[Encoder]]:
    """Class decorator: encoders of this `kind` can be restored from a run."""

    def keep(cls: type[Encoder]) -> type[Encoder]:
        cls.kind = kind
        ENCODERS[kind] = cls
        return cls

    return keep


@dataclass(frozen=True)
class TargetScale:
    """A learned linear scale of regression targets: `scaled = (target - mean) / std`, one value per output."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, targets: np.ndarray) -> np.ndarray:
        """Targets in the model's units, float32, same shape."""
        return ((targets - np.array(self.mean)) / np.array(self.std)).reshape(targets.shape).astype("float32")

    def invert(self, values: np.ndarray) -> np.ndarray:
        """Model outputs in the original units, same shape."""
        return (values * np.array(self.std) + np.array(self.mean)).reshape(values.shape)


@dataclass
class Dataset:
    """What a dataset builder returns: raw arrays (first axis: rows), targets, and how to go on from there.

    `shared` are arrays that are not per row, such as a time series that windows are cut from. `count` is the number of
    rows; empty: the length of the first array of `raw`, or of `targets`. `targets` and `tasks` have the same names;
    both are empty when nothing is predicted but the inputs themselves (autoencoders, GANs). Targets are float32
    `(rows,)` for binary, int32 `(rows,)` for multiclass, float32 `(rows, labels)` for multilabel and for one-hot
    multiclass, float32 `(rows,)` or `(rows, outputs)` for regression. `parts` holds row indices the data itself gives
    ("training", "validation", "test"); rows in no part count as training. `columns` are per-row values that
    `split.group`, `split.time` and `training.sample_weight` may name. `files` are the files read (for the fingerprint).
    `scale_targets` asks for a TargetScale fitted on the training part for every regression task; `generated` says that
    this is stand-in data (`--sample`). `persistence` has the last value that was known of a regression's target, per
    row and in its units, by task: the naive forecast of a series. `in_sequence` says that neighbouring rows overlap, as
    windows of a series do, so that only the parts the data gives keep them apart.
    """

    name: str
    raw: Arrays
    targets: Arrays
    encoder: Encoder
    tasks: dict[str, Task]
    shared: Arrays = field(default_factory=dict)
    count: int | None = None
    parts: dict[str, np.ndarray] = field(default_factory=dict)
    columns: Arrays = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    scale_targets: bool = False
    generated: bool = False
    notes: list[str] = field(default_factory=list)
    persistence: Arrays = field(default_factory=dict)
    in_sequence: bool = False

    @property
    def rows(self) -> int:
        return len(next(iter((self.raw | self.targets).values()), ())) if self.count is None else self.count


@dataclass
class Prepared:
    """Data ready for training: arrays at rest, targets in the model's units, row indices per split.

    `arrays` are per row, `shared` are not; `encoder.batch` takes both together. `splits` has "training" always,
    "validation" and "test" when they have rows. `target_scales` has the learned scale of a task by its name, for those
    that have one; `original_targets` are the targets before it, the same arrays without one. `persistence`
    (in original units) and `columns` are those of the dataset, `read_columns` the names of its raw arrays.
    """

    dataset: str
    arrays: Arrays
    shared: Arrays
    targets: Arrays
    original_targets: Arrays
    encoder: Encoder
    spec: DataSpec
    splits: dict[str, np.ndarray]
    split_kind: str
    target_scales: dict[str, TargetScale]
    fingerprint: dict[str, Any]
    files: list[Path]
    notes: list[str]
    persistence: Arrays = field(default_factory=dict)
    columns: Arrays = field(default_factory=dict)
    read_columns: tuple[str, ...] = ()

    def without_targets(self) -> Prepared:
        """The same rows for a routine that learns the inputs alone: autoencoders, GANs."""
        spec = replace(self.spec, tasks={})
        return replace(self, targets={}, original_targets={}, target_scales={}, persistence={}, spec=spec)
