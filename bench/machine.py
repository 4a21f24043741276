"""One line that says where it was measured."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path


def machine_line() -> str:
    """CPU model, cores this process may use, memory, Python and packages, GPU if TensorFlow may see one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"{name} {_version(name)}" for name in ("keras", "tensorflow", "numpy", "dlrun")]
    system = f"{platform.system()}, Python {platform.python_version()}"
    return ", ".join([f"{_cpu_model()}, {cores} cores, {memory:.0f} GiB, {_gpu()}", system, *versions])


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpu() -> str:
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    names = [line.partition(":")[2].strip() for card in cards for line in card.read_text().splitlines()[:1]]
    return ", ".join(names) or "no GPU"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "?"
