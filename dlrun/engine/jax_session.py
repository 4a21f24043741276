"""Threads, devices, precision and determinism of JAX."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import jax
import keras
from jax._src import xla_bridge

from dlrun import environment

NAME, GPU_EXTRA = "JAX", "jax-gpu"
_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def set_threads(wanted: int) -> int:
    """Set the threads of the arithmetic on a CPU; the number in force, which is an earlier one if JAX has begun.

    JAX has no setting for it, but its runtime reads PJRT_NPROC when it makes its pool of threads.
    """
    if not xla_bridge.backends_are_initialized():
        os.environ["PJRT_NPROC"] = str(wanted)
    return int(os.environ.get("PJRT_NPROC") or environment.available_cores())


def set_precision(precision: str) -> None:
    """Let JAX have 64 bits where they are asked for; else it would compute in 32 bits under that name."""
    jax.config.update("jax_enable_x64", precision == "float64")


def _gpus() -> list[jax.Device]:
    try:
        return jax.devices("gpu")
    except RuntimeError:  # this JAX knows no such devices
        return []


def count_gpus() -> int:
    """GPUs in the machine that JAX can use."""
    return len(_gpus())


def visible_gpus() -> int:
    """GPUs that this session uses."""
    device = jax.config.values["jax_default_device"] or jax.devices()[0]
    return int(device.platform != "cpu")


def use_cpu() -> None:
    """Compute on the CPU, whatever else there is."""
    jax.config.update("jax_default_device", jax.devices("cpu")[0])


def use_gpu(number: int) -> None:
    """Compute on this GPU."""
    jax.config.update("jax_default_device", _gpus()[number])


def devices_like(device: str) -> list[str]:
    """All devices of the same kind that this session may use."""
    return [f"{found.platform}:{found.id}" for found in (_gpus() if device.startswith("/GPU") else jax.devices("cpu"))]


def share(device: str) -> AbstractContextManager[Any]:
    """A scope in which models are made on all these devices, and each batch is shared by them."""
    sharing = keras.distribution.DataParallel(devices=devices_like(device), auto_shard_dataset=False)
    scope: AbstractContextManager[Any] = sharing.scope()
    return scope


def count_sharing() -> int:
    """The devices that share a batch in the scope that is open."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def device_name(device: str) -> str:
    """What the device is called, such as `NVIDIA H200`."""
    return "CPU" if device.startswith("/CPU") else str(_gpus()[int(device.rpartition(":")[2])].device_kind)


def is_deterministic(device: str) -> bool:
    """Whether operations on this device give the same bits each time; on a CPU all of them do."""
    return device.startswith("/CPU") or _DETERMINISTIC in os.environ.get("XLA_FLAGS", "")


def set_jit_compile(model: Any, jit_compile: bool) -> None:
    """Let `model.fit` compile by XLA, or not."""
    model.jit_compile = jit_compile


def make_deterministic() -> None:
    """Only operations that give the same bits each time; XLA reads the flag at the first look at the devices."""
    flags = os.environ.get("XLA_FLAGS", "")
    if _DETERMINISTIC not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_DETERMINISTIC}".strip()
