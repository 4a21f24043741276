"""Threads, devices and determinism of JAX."""

from __future__ import annotations

import os

import jax

NAME, GPU_EXTRA = "JAX", "jax-gpu"


def set_threads(wanted: int) -> int:
    """The threads in force: JAX takes as many as the process may use, and has no setting for them."""
    del wanted
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def device_name(device: str) -> str:
    """What the device is called, such as `NVIDIA H200`."""
    return "CPU" if device.startswith("/CPU") else str(_gpus()[int(device.rpartition(":")[2])].device_kind)


def make_deterministic() -> None:
    """Only operations that give the same bits each time: XLA reads this flag when it compiles for a GPU."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
