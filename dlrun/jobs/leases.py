"""What a box has to lend to runs, and which of it a run gets: whole GPUs, shares of GPUs, or cores."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from dlrun.errors import ConfigError, listing

RAY = "ray"  # the pool that is a Ray cluster
PRETENDED = "DLRUN_PRETENDED_GPUS"  # a list of names to lend in place of the GPUs that are there, for tests


@dataclass(frozen=True)
class Needs:
    """What a run asks for: `device` is auto, gpu or cpu; `alone` wants a device, or all cores, for itself."""

    device: str = "auto"
    threads: int = 1
    alone: bool = False


@dataclass(frozen=True)
class Box:
    """What this machine lends: `per_gpu` runs on each of the GPUs, cores to all others, `at_once` runs in all.

    A lease is a list of names: a GPU as a whole (`GPU-5f...`), a share of it (`GPU-5f...#1`), or cores (`core-3`).
    Of a `pool` (a cluster that itself decides what a run gets) it is one place (`ray-3`); there `node_cores` is what
    the smallest of its machines has, and a pool that `grows` may have more room later.
    """

    gpus: tuple[str, ...] = ()
    per_gpu: int = 1
    cores: int = 1
    at_once: int = 1
    pool: str | None = None
    node_cores: int | None = None
    grows: bool = False

    def threads(self, at_once: int) -> int:
        """The threads of each of so many runs at once, on any machine."""
        return max(1, min(self.cores // at_once, self.node_cores or self.cores))

    def lease(self, needs: Needs, taken: Collection[str]) -> list[str] | None:
        """What the run gets beside what is `taken` on this machine, by whomever; None when it does not fit now."""
        if self.pool:
            return [next(name for n in count() if (name := f"{self.pool}-{n}") not in taken)]
        if self.gpus and needs.device != "cpu":
            return self._gpu(taken, whole=needs.alone or self.per_gpu == 1)
        return self._cores(taken, self._all_cores if needs.alone else min(needs.threads, self._all_cores))

    @property
    def _all_cores(self) -> int:
        return max(self.cores, self.at_once)  # whoever asks for more runs at once than cores gets them

    def _gpu(self, taken: Collection[str], *, whole: bool) -> list[str] | None:
        """The GPU with the fewest runs, the first of several."""
        shares = {gpu: {name for name in taken if name.partition("#")[0] == gpu} for gpu in self.gpus}
        gpu = min(self.gpus, key=lambda gpu: len(shares[gpu]))
        if not shares[gpu] and whole:
            return [gpu]
        free = [gpu for gpu in self.gpus if gpu not in taken and len(shares[gpu]) < self.per_gpu]
        if whole or not free:
            return None
        gpu = min(free, key=lambda gpu: len(shares[gpu]))
        return [next(name for name in (f"{gpu}#{share}" for share in range(self.per_gpu)) if name not in taken)]

    def _cores(self, taken: Collection[str], wanted: int) -> list[str] | None:
        free = [name for name in (f"core-{number}" for number in range(self._all_cores)) if name not in taken]
        return free[:wanted] if len(free) >= wanted else None


def of_pool(lease: Sequence[str]) -> bool:
    """Whether a lease is a place in a cluster, where the processes of a run end with whoever submitted it."""
    return lease[0].startswith(f"{RAY}-")


def gpu_of(lease: Sequence[str]) -> str | None:
    """The GPU of a lease, or the place in a pool; None for cores."""
    return None if lease[0].startswith("core-") else lease[0].partition("#")[0]


def variables_of(lease: Sequence[str]) -> dict[str, str]:
    """The environment variables that show a run its GPU and no other; on cores none."""
    return {"CUDA_VISIBLE_DEVICES": gpu_of(lease) or "-1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def gpus_there(variables: Mapping[str, str] = os.environ) -> list[str]:
    """The GPUs this process may lend, by UUID, in the order of their numbers; `CUDA_VISIBLE_DEVICES` limits them."""
    if PRETENDED in variables:
        return [name for name in variables[PRETENDED].split(",") if name]
    there = _from_driver()
    chosen = variables.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not there:
        return there
    return [_named(text.strip(), there) for text in chosen.split(",") if text.strip() not in ("", "-1")]


def choose_gpus(text: str | None, there: Sequence[str]) -> tuple[str, ...]:
    """The GPUs that `0-3`, `0,2`, UUIDs, `all` or `none` mean; None means all. Raises ConfigError."""
    if text in (None, "all"):
        return tuple(there)
    if text == "none":
        return ()
    chosen: list[str] = []
    for part in str(text).split(","):
        span = re.fullmatch(r"(\d+)-(\d+)", part.strip())
        numbers = range(int(span[1]), int(span[2]) + 1) if span else ()
        chosen += [_named(str(number), there) for number in numbers] if span else [_named(part.strip(), there)]
    return tuple(dict.fromkeys(chosen))


def _named(text: str, there: Sequence[str]) -> str:
    """A GPU by its number, UUID or the beginning of one."""
    if text.isdecimal() and int(text) < len(there):
        return there[int(text)]
    matching = [name for name in there if text and name.startswith(text)]
    if len(matching) != 1:
        raise ConfigError(
            f"there is no GPU {text!r}",
            expected=f"0 to {len(there) - 1}, or {listing(there)}" if there else "none: this machine shows no GPU",
        )
    return matching[0]


def _from_driver() -> list[str]:
    """UUIDs from nvidia-smi, else from the driver's files, in the order of the PCI bus."""
    folder = Path("/proc/driver/nvidia/gpus")
    if not folder.is_dir():
        return []
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        text = "\n".join(path.read_text() for path in sorted(folder.glob("*/information")))
    return re.findall(r"GPU-[0-9a-f-]+", text)
