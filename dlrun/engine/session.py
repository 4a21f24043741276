"""The first import of Keras in a run: seeds, determinism, precision, threads, device."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import keras
import tensorflow as tf

from dlrun import environment
from dlrun.config.schema import Runtime
from dlrun.errors import DeviceError
from dlrun.seeds import child_seed


@dataclass(frozen=True)
class Session:
    """Where this run computes: the device as TensorFlow names it, and the threads."""

    device: str
    device_name: str
    threads: int


def start_session(runtime: Runtime, seed: int) -> Session:
    """Bring Keras and TensorFlow into the state that the config asks for. Raises DeviceError.

    Threads can be set only before TensorFlow's first operation; a process that trains twice keeps the first setting.
    """
    warnings.filterwarnings("ignore", module="keras")
    tf.get_logger().setLevel("ERROR")
    threads = _set_threads(runtime.threads)
    device = _choose_device(runtime.device)
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(child_seed(seed, "init"))
    keras.config.set_dtype_policy(runtime.precision)
    if runtime.deterministic:
        tf.config.experimental.enable_op_determinism()
    return Session(device, _device_name(device), threads)


def _set_threads(threads: int | None) -> int:
    wanted = threads or environment.available_cores()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(wanted)
        tf.config.threading.set_inter_op_parallelism_threads(wanted)
    except RuntimeError:
        return int(tf.config.threading.get_intra_op_parallelism_threads()) or wanted
    return wanted


def _choose_device(device: str) -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cpu" or (device == "auto" and not gpus):
        return "/CPU:0"
    number = int(device.partition(":")[2] or 0)
    if number >= len(gpus):
        seen = f"{len(gpus)} GPU{'s' if len(gpus) != 1 else ''}"
        raise DeviceError(
            f"runtime.device is {device}, but TensorFlow sees {seen}",
            key=("runtime", "device"),
            hint="use auto or cpu; for NVIDIA GPUs install the extra: pip install 'dlrun[gpu]'",
        )
    tf.config.set_visible_devices(gpus[number], "GPU")
    return f"/GPU:{number}"


def _device_name(device: str) -> str:
    if device.startswith("/CPU"):
        return "CPU"
    gpu = tf.config.list_physical_devices("GPU")[int(device.rpartition(":")[2])]
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
