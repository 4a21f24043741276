"""Facts about where a run computes: installed packages, processor, driver, and the variables that steer libraries."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from dlrun.environment import available_cores

# Only what changes how libraries compute. TF_VAR_, TF_TOKEN_ and TF_CLI_ belong to Terraform and may hold secrets.
_STEERING = re.compile(r"(TF|XLA|KERAS|JAX|OMP|MKL|OPENBLAS|KMP|CUDA|CUDNN|CUBLAS|NVIDIA_TF32)_\w+\Z")
_NEVER = re.compile(r"TF_(VAR|TOKEN|CLI|CPP)_|\w*(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH|KEY)")


def installed_packages() -> list[str]:
    """Every installed package as a line `name==version`, sorted; those not from an index are comments.

    Read from the names of the folders that installers leave (PEP 376), so nothing is imported or parsed.
    """
    lines: dict[str, str] = {}
    for distribution in metadata.distributions():
        folder: Path | None = getattr(distribution, "_path", None)
        name, _, version = (folder.name.removesuffix(".dist-info") if folder else "").partition("-")
        if folder is None or folder.suffix != ".dist-info" or not version:
            name, version = distribution.name or "", distribution.version
        name = re.sub(r"[-_.]+", "-", name).lower()
        if folder is not None and (folder / "direct_url.json").exists():
            lines.setdefault(name, f"# {name}=={version} was installed from a folder or an address")
        else:
            lines.setdefault(name, f"{name}=={version}")  # the first one found is the one that is imported
    return [lines[name] for name in sorted(lines) if name]


def machine_facts(*, gpu: bool) -> dict[str, Any]:
    """Host, system, processor, cores; with `gpu` the version of the NVIDIA driver, if it can be told."""
    facts = {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "available_cores": available_cores(),
    }
    return facts | ({"nvidia_driver": _nvidia_driver()} if gpu else {})


def steering_variables() -> dict[str, str]:
    """The environment variables that are set and steer how libraries compute; never one that may hold a secret."""
    return {
        name: value for name, value in sorted(os.environ.items()) if _STEERING.match(name) and not _NEVER.match(name)
    }


def nvidia_gpus() -> int:
    """How many NVIDIA GPUs this process may use, told without loading any library (Linux; elsewhere 0)."""
    there = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return there
    return min(there, len([device for device in chosen.split(",") if device.strip() not in ("", "-1")]))


def nvidia_memory() -> dict[str, int]:
    """The MiB of each NVIDIA GPU (0: not known) by its UUID, in the order of the PCI bus; from nvidia-smi.

    Without that program from the driver's files, which do not tell the memory.
    """
    folder = Path("/proc/driver/nvidia/gpus")
    if not folder.is_dir():
        return {}
    command = ["nvidia-smi", "--query-gpu=uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        text = "\n".join(path.read_text() for path in sorted(folder.glob("*/information")))
    found = re.findall(r"(GPU-[0-9a-f-]+)(?:, (\d+))?", text)  # memory may be [N/A], where it is shared with the CPU
    return {uuid: int(memory or 0) for uuid, memory in found}


def _cpu_model() -> str:
    """What the processor calls itself (`model name` in /proc/cpuinfo on Linux)."""
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine()


def _nvidia_driver() -> str | None:
    """Version of the loaded NVIDIA driver: from the kernel module, else from nvidia-smi."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            text = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return None
    found = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", text)
    return found.group() if found else None
