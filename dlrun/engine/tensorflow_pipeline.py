"""Pipelines of batches in `tf.data`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from dlrun.engine.feeding import Feeder, Order, Purpose, make_batch

_as_it_is = tf.autograph.experimental.do_not_convert  # to rewrite Python code takes 0.2 s, and nothing here needs it


def make_pipeline(feeder: Feeder, order: Order, rows: int, batch_size: int, purpose: Purpose) -> tf.data.Dataset:
    """Batches of `rows` rows in the order that `order` gives each time the pipeline is iterated."""

    def epoch() -> Any:
        indices, seed, first = order()
        return iter([(indices[first * batch_size :].astype("int32"), seed, first)])

    signature = (tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int64))
    batches = tf.data.Dataset.from_generator(epoch, output_signature=signature).flat_map(
        _as_it_is(
            lambda indices, seed, first: (
                tf.data.Dataset.from_tensor_slices(indices)
                .batch(batch_size)
                .enumerate(first)
                .map(_as_it_is(lambda step, rows: (rows, tf.stack([seed, tf.cast(step, tf.int32)]))))
            )
        )
    )
    make = _streaming(feeder, purpose) if feeder.streams else _resting(feeder, purpose)
    made = batches.map(_as_it_is(make), 2, True)
    return made.apply(tf.data.experimental.assert_cardinality(math.ceil(rows / batch_size))).prefetch(2)


def _resting(feeder: Feeder, purpose: Purpose) -> Any:
    """Batches from tensors in memory."""
    tensors = feeder.tensors  # made here, outside of any graph
    return lambda indices, seed: make_batch(feeder, indices, seed, purpose, tensors)


def _streaming(feeder: Feeder, purpose: Purpose) -> Any:
    """Batches from rows that are read from files: only what a step needs is ever in memory."""
    example = feeder.gather(np.zeros(1, "int64"))
    flat, shared = tf.nest.flatten(example), feeder.shared_tensors

    def read(indices: Any) -> Any:
        return tf.nest.flatten(feeder.gather(indices))

    def batch(indices: Any, seed: Any) -> Any:
        arrays = tf.numpy_function(read, [indices], [tf.as_dtype(array.dtype) for array in flat], stateful=False)
        for array, like in zip(arrays, flat, strict=True):
            array.set_shape((None, *like.shape[1:]))
        gathered = tf.nest.pack_sequence_as(example, arrays)
        gathered["inputs"] = gathered["inputs"] | shared
        return make_batch(feeder, tf.range(tf.shape(indices)[0]), seed, purpose, gathered)

    return batch
