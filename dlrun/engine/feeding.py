"""Batches from arrays at rest: the order of samples, and batches made of rows by index, in `keras.ops`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

import keras
import numpy as np

from dlrun.config.training_schema import Training
from dlrun.data._dataset import Arrays, Encoder, Prepared
from dlrun.seeds import child_seed
from dlrun.spec import Task

Tensors = dict[str, dict[str, Any]]  # "inputs", "targets" and "weights" by name
Purpose = Literal["training", "validation", "inputs", "pairs"]  # what a batch is for; the last two: for `predict`
Order = Callable[[], tuple[np.ndarray, int, int]]  # gives the rows `(n,)` of an epoch, its seed, the first step to do


def sample_order(rows: np.ndarray, training: Training, seed: int, epoch: int) -> np.ndarray:
    """The samples of an epoch (counted from 0), in order: a function of (seed, epoch), never of a running generator.

    `rows` `(n,)` are the training part, the result has `training.samples_per_epoch(n)` of them: those that follow where
    the epoch before stopped in one pass over the rows after the other, or draws from all of them. NumPy's PCG64, seeded
    with the branch `shuffle` of the seed tree by the number of the pass, or of the epoch.
    """

    def random(number: int) -> np.random.Generator:
        return np.random.default_rng(child_seed(seed, "shuffle", number))

    count = training.samples_per_epoch(len(rows))
    if training.draws == "with_replacement":
        return rows[random(epoch).integers(0, len(rows), count)]
    first, start = divmod(epoch * count, len(rows))
    passes = range(first, first + math.ceil((start + count) / len(rows)))
    orders = [random(number).permutation(rows) if training.shuffle else rows for number in passes]
    return np.concatenate(orders)[start : start + count]


def targets_for_model(targets: np.ndarray, task: Task) -> np.ndarray:
    """Targets in the shape that Keras' losses and all its metrics take.

    Binary labels and numbers become float32 `(rows, outputs)`, integer classes int32 `(rows,)` or, when the task asks
    for one-hot rows, float32 `(rows, labels)`; multi-label rows float32 `(rows, labels)`.
    """
    if task.kind == "multiclass" and not task.one_hot:
        return targets.reshape(-1).astype("int32")
    if task.kind == "multiclass" and targets.size == len(targets):
        return np.eye(len(task.labels), dtype="float32")[targets.reshape(-1).astype(int)]
    return targets.reshape(len(targets), -1).astype("float32")


class BatchSeed(keras.random.SeedGenerator):
    """The seeds drawn for one batch: a function of the epoch's seed and the step, so that a resumed run draws the same.

    `seed` is an int32 tensor `(2,)`: the epoch's seed and the step.
    """

    def __init__(self, seed: Any) -> None:
        self._seed, self._drawn = seed, 0  # no state variable, which is what the base class is about

    def next(self, ordered: bool = True) -> Any:
        """A new seed `(2,)`, uint32, each time."""
        self._drawn += 1
        seed = keras.ops.stack([self._seed[0] + self._drawn * 7919, self._seed[1]])
        return keras.ops.cast(seed, "uint32")


def streams(arrays: Arrays) -> bool:
    """Whether rows must be read from files step by step."""
    return any(isinstance(array, np.memmap) for array in arrays.values())


class Feeder:
    """Arrays as tensors, held once, and batches made of them.

    Arrays that stay in a file (`numpy.memmap`) never become tensors: the feeder `streams`, and its batches are made of
    rows that `gather` reads.
    """

    def __init__(
        self,
        encoder: Encoder,
        arrays: Arrays,
        targets: Arrays | None = None,
        *,
        shared: Arrays | None = None,
        weights: np.ndarray | None = None,
        on_device: bool = False,
    ) -> None:
        """`targets` by task name, already in the shapes of `targets_for_model`; `weights` `(rows,)` weigh the samples
        of training in the loss. The tensors lie in the computer's memory, or, with `on_device`, where Keras computes.
        """
        self.encoder = encoder
        self.streams = streams(arrays)
        self._rows = {
            "inputs": arrays,
            "targets": targets or {},
            "weights": {} if weights is None else {"sample": weights.astype("float32")},
        }
        self._shared = shared or {}
        self._on_device = on_device

    @classmethod
    def of(cls, data: Prepared, *, weights: np.ndarray | None = None, on_device: bool = False) -> Feeder:
        """A feeder for prepared data, with targets in the model's units."""
        targets = {name: targets_for_model(array, data.spec.tasks[name]) for name, array in data.targets.items()}
        return cls(data.encoder, data.arrays, targets, shared=data.shared, weights=weights, on_device=on_device)

    @cached_property
    def tensors(self) -> Tensors:
        """Everything as tensors; all that `batch` needs."""
        with contextlib.nullcontext() if self._on_device else keras.device("cpu:0"):
            return {
                group: {name: keras.ops.convert_to_tensor(array) for name, array in arrays.items()}
                for group, arrays in (self._rows | {"inputs": self._rows["inputs"] | self._shared}).items()
            }

    @cached_property
    def shared_tensors(self) -> dict[str, Any]:
        """The arrays that are not per row, as tensors."""
        with keras.device("cpu:0"):
            return {name: keras.ops.convert_to_tensor(array) for name, array in self._shared.items()}

    def gather(self, indices: np.ndarray) -> dict[str, Arrays]:
        """The rows `indices` `(batch,)` of all arrays per row, read from files in ascending order."""
        ascending = np.sort(indices)
        back = np.searchsorted(ascending, indices)
        return {
            group: {name: np.asarray(array[ascending])[back] for name, array in arrays.items()}
            for group, arrays in self._rows.items()
        }

    def inputs(self, indices: Any) -> Any:
        """What the model gets for the rows `indices` `(batch,)`."""
        if self.streams:
            indices = np.asarray(indices)
            gathered = self.gather(indices)["inputs"] | self.shared_tensors
            return self.encoder.batch(gathered, np.arange(len(indices)))
        return self.encoder.batch(self.tensors["inputs"], indices)

    def batch(self, tensors: Mapping[str, Mapping[str, Any]], indices: Any, seed: Any = None) -> tuple[Any, ...]:
        """Inputs, targets and (for training only, if there are any) sample weights for the rows `indices` `(batch,)`.

        Targets are one tensor, or a dict by task name when there are several. `seed` `(2,)` says that the batch is one
        of training: it is augmented. A pure function of its arguments, for any backend's compiler.
        """
        inputs = self.encoder.batch(tensors["inputs"], indices)
        if seed is not None:
            inputs = self.encoder.augment(inputs, BatchSeed(seed))
        targets = {name: keras.ops.take(array, indices, axis=0) for name, array in tensors["targets"].items()}
        if not targets:
            return (inputs,)
        found = targets if len(targets) > 1 else next(iter(targets.values()))
        if seed is None or not tensors["weights"]:
            return inputs, found
        weights = keras.ops.take(tensors["weights"]["sample"], indices, axis=0)
        return inputs, found, dict.fromkeys(targets, weights) if len(targets) > 1 else weights


def make_batch(
    feeder: Feeder, indices: Any, seed: Any, purpose: Purpose, tensors: Mapping[str, Mapping[str, Any]] | None = None
) -> Any:
    """A batch as Keras takes it, `pairs` as one input; `tensors` are the feeder's own unless given."""
    found = feeder.batch(tensors or feeder.tensors, indices, seed if purpose == "training" else None)
    if purpose == "inputs":
        return found[0]
    return (found,) if purpose == "pairs" else found
