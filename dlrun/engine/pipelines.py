"""Batches one after the other, for `model.fit`, `evaluate` and `predict`: `tf.data` on TensorFlow, else `PyDataset`."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from dlrun.engine.feeding import Feeder, Order, Purpose, make_batch
from dlrun.engine.session import count_sharing


def training_batches(feeder: Feeder, order: Order, rows: int, batch_size: int) -> Any:
    """A pipeline that asks `order` for an epoch each time it is iterated, and begins with the first step to do."""
    kept = rows - left_over(rows)

    def shared_order() -> tuple[np.ndarray, int, int]:
        found, seed, first = order()
        return found[:kept], seed, first

    return _shared(_make_pipeline(feeder, shared_order, kept, batch_size, "training"), kept, batch_size)


def batches_in_order(feeder: Feeder, rows: np.ndarray, batch_size: int, purpose: Purpose = "validation") -> Any:
    """A pipeline over fixed rows, for validation and prediction."""
    rows = rows[: len(rows) - left_over(len(rows))]
    return _shared(_make_pipeline(feeder, lambda: (rows, 0, 0), len(rows), batch_size, purpose), len(rows), batch_size)


def one_batch(feeder: Feeder, rows: np.ndarray) -> Any:
    """Inputs, targets and weights of these rows, for one device."""
    return next(iter(_make_pipeline(feeder, lambda: (rows, 0, 0), len(rows), len(rows), "validation")))


def left_over(rows: int) -> int:
    """How many of so many rows the devices that share each batch must leave out of an epoch; 0 for one device.

    They take equal shares, also of a partial last batch: in training each device counts the same, Keras cannot begin
    with a batch of other shares, and JAX divides into no other ones.
    """
    return rows % count_sharing()


def _shared(pipeline: Any, rows: int, batch_size: int) -> Any:
    """The pipeline for the devices that share each batch; on JAX Keras divides a batch itself."""
    devices = count_sharing()
    if devices == 1 or keras.backend.backend() != "tensorflow":
        return pipeline
    from dlrun.engine.tensorflow_sharing import share_batches

    return share_batches(pipeline, math.ceil(rows / batch_size), devices)


def _make_pipeline(feeder: Feeder, order: Order, rows: int, batch_size: int, purpose: Purpose) -> Any:
    if keras.backend.backend() != "tensorflow":
        return _Batches(feeder, order, rows, batch_size, purpose)
    from dlrun.engine import tensorflow_pipeline

    return tensorflow_pipeline.make_pipeline(feeder, order, rows, batch_size, purpose)


class _Batches(keras.utils.PyDataset):
    """Batches for JAX, which has no pipeline of its own. They are made on the CPU, as the tensors of the feeder lie
    there, each in one compiled call.
    """

    def __init__(self, feeder: Feeder, order: Order, rows: int, batch_size: int, purpose: Purpose) -> None:
        import jax

        super().__init__(workers=1, use_multiprocessing=False)
        self._feeder, self._order = feeder, order
        self._rows, self._batch_size = rows, batch_size
        self._epoch: tuple[np.ndarray, int, int] | None = None

        def make(indices: Any, seed: Any, tensors: Any) -> tuple[Any, ...]:
            found = make_batch(feeder, indices, seed, purpose, tensors)
            return (found,) if purpose == "inputs" else found  # of a PyDataset Keras takes tuples only

        self._make = jax.jit(make)

    def __len__(self) -> int:
        return math.ceil(self._rows / self._batch_size)

    def on_epoch_begin(self) -> None:
        """Ask for a new order."""
        self._epoch = self._order()

    def __getitem__(self, step: int) -> Any:
        rows, seed, first = self._epoch or self._order()
        step = min(first + step, len(self) - 1)  # Keras looks at a batch before training, also when no step is left
        indices = rows[step * self._batch_size : (step + 1) * self._batch_size].astype("int32")
        pair = np.array([seed, step], "int32")
        with keras.device("cpu:0"):
            if not self._feeder.streams:
                return self._make(indices, pair, self._feeder.tensors)
            gathered = self._feeder.gather(indices)
            gathered["inputs"] = gathered["inputs"] | self._feeder.shared_tensors
            return self._make(np.arange(len(indices), dtype="int32"), pair, gathered)
