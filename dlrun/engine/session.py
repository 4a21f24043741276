"""The first import of Keras in a run: seeds, determinism, precision, threads, device."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from types import ModuleType

import keras

from dlrun import environment
from dlrun.config.schema import Runtime
from dlrun.errors import DeviceError
from dlrun.seeds import child_seed

CPU = "/CPU:0"


@dataclass(frozen=True)
class Session:
    """Where and how this run computes: the device's place and name, the threads, whether operations repeat exactly."""

    device: str
    device_name: str
    threads: int
    deterministic: bool


def start_session(runtime: Runtime, seed: int) -> Session:
    """Bring Keras and its backend into the state that the config asks for. Raises DeviceError.

    Threads can be set only before the backend's first operation, and determinism never ends; a process that trains
    twice keeps the first setting.
    """
    warnings.filterwarnings("ignore", module="keras")
    backend = _backend_module()
    threads = backend.set_threads(runtime.threads or environment.available_cores())
    if runtime.deterministic is True:  # before the first look at the devices
        backend.make_deterministic()
    device = _choose_device(runtime.device, backend)
    if runtime.deterministic == "auto" and device == CPU and not backend.is_deterministic(device):
        backend.make_deterministic()
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(child_seed(seed, "init"))
    backend.set_precision(runtime.precision)
    keras.config.set_dtype_policy(runtime.precision)
    return Session(device, backend.device_name(device), threads, backend.is_deterministic(device))


def computes_on_gpu() -> bool:
    """Whether Keras computes on a GPU in this session."""
    return bool(_backend_module().visible_gpus())


def set_jit_compile(model: keras.Model, jit_compile: bool) -> None:
    """Let Keras compile the steps of a compiled model by XLA, or not."""
    _backend_module().set_jit_compile(model, jit_compile)


def _backend_module() -> ModuleType:
    """The file with what differs between backends."""
    if keras.backend.backend() == "jax":
        from dlrun.engine import jax_session

        return jax_session
    from dlrun.engine import tensorflow_session

    return tensorflow_session


def _choose_device(device: str, backend: ModuleType) -> str:
    """`/CPU:0` or `/GPU:n`, and only that one in use from here on."""
    gpus = backend.count_gpus()
    if device == "cpu" or (device == "auto" and not gpus):
        backend.use_cpu()
        return CPU
    number = int(device.partition(":")[2] or 0)
    if number >= gpus:
        raise DeviceError(
            f"runtime.device is {device}, but {backend.NAME} sees {gpus} GPU{'s' if gpus != 1 else ''}",
            key=("runtime", "device"),
            hint=f"use auto or cpu; for NVIDIA GPUs install the extra: pip install 'dlrun[{backend.GPU_EXTRA}]'",
        )
    backend.use_gpu(number)
    return f"/GPU:{number}"
