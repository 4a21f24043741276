"""Threads, devices and determinism of TensorFlow."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

NAME, GPU_EXTRA = "TensorFlow", "gpu"


def set_threads(wanted: int) -> int:
    """Set the threads of the arithmetic; the number in force, which is an earlier one if TensorFlow has begun."""
    tf.get_logger().setLevel("ERROR")
    try:
        tf.config.threading.set_intra_op_parallelism_threads(wanted)
        tf.config.threading.set_inter_op_parallelism_threads(wanted)
    except RuntimeError:
        return int(tf.config.threading.get_intra_op_parallelism_threads()) or wanted
    return wanted


def set_precision(precision: str) -> None:
    """Nothing to do: TensorFlow has all of Keras' policies."""


def count_gpus() -> int:
    """GPUs in the machine that TensorFlow can use."""
    return len(tf.config.list_physical_devices("GPU"))


def visible_gpus() -> int:
    """GPUs that this session uses."""
    return len(tf.config.get_visible_devices("GPU"))


def use_cpu() -> None:
    """Compute on the CPU, whatever else there is."""
    if count_gpus():
        tf.config.set_visible_devices([], "GPU")


def use_gpu(number: int) -> None:
    """Compute on this GPU."""
    tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[number], "GPU")


def devices_like(device: str) -> list[str]:
    """All devices of the same kind that this session may use."""
    return [found.name for found in tf.config.list_logical_devices(device.strip("/").partition(":")[0])]


def share(device: str) -> AbstractContextManager[Any]:
    """A scope in which models are made on all these devices, and each batch is shared by them."""
    scope: AbstractContextManager[Any] = _mirrored(tuple(devices_like(device))).scope()
    return scope


@cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One strategy for the life of a process: the reductions of a second one would be taken for those of the first."""
    return tf.distribute.MirroredStrategy(devices)


def count_sharing() -> int:
    """The devices that share a batch in the scope that is open."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def device_name(device: str) -> str:
    """What the device is called, such as `NVIDIA H200`."""
    if device.startswith("/CPU"):
        return "CPU"
    gpu = tf.config.list_physical_devices("GPU")[int(device.rpartition(":")[2])]
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))


def make_deterministic() -> None:
    """Only operations that give the same bits each time.

    Without it sums over rows of an embedding are added up by several threads in any order, and embeddings, recurrent
    and 1D convolution nets do not repeat exactly on a CPU either. And operations run one after the other, each on all
    threads: else a sum of three gradients or more begins with whichever of them nobody else reads any longer (AddN),
    which hangs on what has ended; of a VAE, whose codes are read three times, 6 of 24 runs had other last bits.
    """
    with contextlib.suppress(RuntimeError):  # TensorFlow has begun, and keeps what it began with
        tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


def is_deterministic(device: str) -> bool:
    """Whether operations on this device give the same bits each time."""
    return bool(is_op_determinism_enabled())


def set_jit_compile(model: Any, jit_compile: bool) -> None:
    """Let `model.fit` compile by XLA, or not.

    Keras' own setter refuses XLA once operations are deterministic, for GPUs' sake; on a CPU XLA repeats exactly.
    """
    model._jit_compile = jit_compile
