"""Batches from arrays at rest: the order of samples, and `tf.data` pipelines that gather rows by index."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlrun.data._dataset import Arrays, Encoder, Prepared
from dlrun.seeds import child_seed
from dlrun.spec import Task


def sample_order(rows: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """The rows in the order of an epoch (counted from 0): a function of (seed, epoch), never of a running generator.

    Shape `(n,)` in and out; NumPy's PCG64 seeded with the branch `shuffle` of the seed tree.
    """
    return np.random.default_rng(child_seed(seed, "shuffle", epoch)).permutation(rows)


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


class Feeder:
    """Arrays as tensors, held once, and pipelines over them."""

    def __init__(self, encoder: Encoder, arrays: Arrays, targets: Arrays | None = None) -> None:
        """`targets` by task name, already in the shapes of `targets_for_model`."""
        self._encoder = encoder
        with tf.device("/CPU:0"):
            self._arrays = {name: keras.ops.convert_to_tensor(array) for name, array in arrays.items()}
            self._targets = {name: keras.ops.convert_to_tensor(array) for name, array in (targets or {}).items()}

    @classmethod
    def of(cls, data: Prepared) -> Feeder:
        """A feeder for prepared data, with targets in the model's units."""
        targets = {name: targets_for_model(array, data.spec.tasks[name]) for name, array in data.targets.items()}
        return cls(data.encoder, {**data.arrays, **data.shared}, targets)

    def inputs(self, indices: Any) -> Any:
        """What the model gets for the rows `indices` `(batch,)`."""
        return self._encoder.batch(self._arrays, indices)

    def batch(self, indices: Any) -> Any:
        """Inputs and targets for the rows `indices`: one tensor, or a dict by task name when there are several."""
        targets = {name: keras.ops.take(array, indices, axis=0) for name, array in self._targets.items()}
        if len(targets) == 1:
            return self.inputs(indices), next(iter(targets.values()))
        return (self.inputs(indices), targets) if targets else (self.inputs(indices),)

    def batches(
        self, order: Callable[[], np.ndarray], rows: int, batch_size: int, *, targets: bool = True
    ) -> tf.data.Dataset:
        """A pipeline that asks `order` for row indices `(rows,)` each time it is iterated, i.e. once an epoch."""
        signature = tf.TensorSpec((None,), tf.int32)
        orders = tf.data.Dataset.from_generator(lambda: iter([order().astype("int32")]), output_signature=signature)
        indices = orders.flat_map(lambda all_rows: tf.data.Dataset.from_tensor_slices(all_rows).batch(batch_size))
        make = self.batch if targets else self.inputs
        batches = indices.map(make, num_parallel_calls=2, deterministic=True)
        return batches.apply(tf.data.experimental.assert_cardinality(math.ceil(rows / batch_size))).prefetch(2)

    def in_order(self, rows: np.ndarray, batch_size: int, *, targets: bool = True) -> tf.data.Dataset:
        """A pipeline over fixed rows, for validation, evaluation and prediction."""
        return self.batches(lambda: rows, len(rows), batch_size, targets=targets)
