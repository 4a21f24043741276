"""The first import of Keras in a run: seeds, determinism, precision, threads, device."""

from __future__ import annotations

import contextlib
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
    """Where and how this run computes: the device's place and name, the threads, whether operations repeat exactly.

    `replicas` devices of that kind share each batch.
    """

    device: str
    device_name: str
    threads: int
    deterministic: bool
    replicas: int = 1


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
    device = _choose_device(runtime, backend)
    if runtime.deterministic == "auto" and device == CPU and not backend.is_deterministic(device):
        backend.make_deterministic()
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(child_seed(seed, "init"))
    backend.set_precision(runtime.precision)
    keras.config.set_dtype_policy(runtime.precision)
    name, replicas = backend.device_name(device), 1
    if runtime.strategy != "none":
        replicas = _count_replicas(runtime.strategy, device, backend)
        name = f"{replicas} x {name}"
    return Session(device, name, threads, backend.is_deterministic(device), replicas)


def computes_on_gpu() -> bool:
    """Whether Keras computes on a GPU in this session."""
    return bool(_backend_module().visible_gpus())


def shared_by_devices(runtime: Runtime) -> contextlib.AbstractContextManager[object]:
    """The scope in which a model is made and trained by all devices, as `runtime.strategy` says."""
    if runtime.strategy == "none":
        return contextlib.nullcontext()
    scope: contextlib.AbstractContextManager[object] = _backend_module().share("/GPU:0" if computes_on_gpu() else CPU)
    return scope


def count_sharing() -> int:
    """The devices that share each batch in the scope that is open; 1 outside of one."""
    return int(_backend_module().count_sharing())


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


def _choose_device(runtime: Runtime, backend: ModuleType) -> str:
    """`/CPU:0` or `/GPU:n`, and only that one in use from here on, or with a strategy all GPUs."""
    device, gpus = runtime.device, backend.count_gpus()
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
    if runtime.strategy == "none":
        backend.use_gpu(number)
    return f"/GPU:{number}"


def _count_replicas(strategy: str, device: str, backend: ModuleType) -> int:
    """The devices that a strategy uses. Raises DeviceError when there is only one."""
    replicas = len(backend.devices_like(device))
    if replicas < 2:
        kind = "GPU" if device.startswith("/GPU") else "CPU device"
        raise DeviceError(
            f"runtime.strategy is {strategy}, and {backend.NAME} sees one {kind}",
            key=("runtime", "strategy"),
            expected="two or more devices of one kind",
            hint="CUDA_VISIBLE_DEVICES may hide GPUs that are there; a new run can do without runtime.strategy",
        )
    return replicas
