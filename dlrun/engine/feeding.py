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

    Binary labels and numbers become float32 `(rows, outputs)`, integer classes int32 `(rows,)`, one-hot and
    multi-label rows float32 `(rows, labels)`.
    """
    if task.kind == "multiclass" and not task.one_hot:
        return targets.reshape(-1).astype("int32")
    return targets.reshape(len(targets), -1).astype("float32")


class Feeder:
    """Arrays as tensors, held once, and pipelines over them."""

    def __init__(self, encoder: Encoder, arrays: Arrays, targets: np.ndarray | None = None) -> None:
        self._encoder = encoder
        with tf.device("/CPU:0"):
            self._arrays = {name: keras.ops.convert_to_tensor(array) for name, array in arrays.items()}
            self._targets = None if targets is None else keras.ops.convert_to_tensor(targets)

    @classmethod
    def of(cls, data: Prepared) -> Feeder:
        """A feeder for data with one task, in the model's units."""
        (name,) = data.targets
        return cls(data.encoder, data.arrays, targets_for_model(data.targets[name], data.spec.tasks[name]))

    def _batch(self, indices: Any) -> Any:
        inputs = self._encoder.batch(self._arrays, indices)
        if self._targets is None:
            return inputs
        return inputs, keras.ops.take(self._targets, indices, axis=0)

    def batches(self, order: Callable[[], np.ndarray], rows: int, batch_size: int) -> tf.data.Dataset:
        """A pipeline that asks `order` for row indices `(rows,)` each time it is iterated, i.e. once an epoch."""
        signature = tf.TensorSpec((None,), tf.int32)
        orders = tf.data.Dataset.from_generator(lambda: iter([order().astype("int32")]), output_signature=signature)
        indices = orders.flat_map(lambda all_rows: tf.data.Dataset.from_tensor_slices(all_rows).batch(batch_size))
        batches = indices.map(self._batch, num_parallel_calls=2, deterministic=True)
        return batches.apply(tf.data.experimental.assert_cardinality(math.ceil(rows / batch_size))).prefetch(2)

    def in_order(self, rows: np.ndarray, batch_size: int) -> tf.data.Dataset:
        """A pipeline over fixed rows, for validation, evaluation and prediction."""
        return self.batches(lambda: rows, len(rows), batch_size)
