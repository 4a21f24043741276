"""What a box has to lend to runs, and which of it a run gets: whole GPUs, shares of GPUs, or cores."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from dlrun.config.needs_schema import mebibytes
from dlrun.errors import ConfigError, listing
from dlrun.jobs.entries import Entry
from dlrun.machine import nvidia_memory

RAY = "ray"  # the pool that is a Ray cluster
PRETENDED = "DLRUN_PRETENDED_GPUS"  # what to lend in place of the GPUs that are there, for tests: a:8GB,b:16GB


@dataclass(frozen=True)
class Needs:
    """What a run asks for: `device` is auto, gpu or cpu; `alone` wants a device, or all cores, for itself.

    `gpu_memory`: MiB of a GPU that it may share with others, 0 when that is not stated; `gpus`: so many whole ones.
    """

    device: str = "auto"
    threads: int = 1
    alone: bool = False
    gpu_memory: int = 0
    gpus: int = 1


@dataclass(frozen=True)
class Box:
    """What this machine lends: `per_gpu` runs on each of the GPUs, cores to all others, `at_once` runs in all.

    A lease is a list of names: GPUs as a whole (`GPU-5f...`), a share of one (`GPU-5f...#1`, with its MiB
    `GPU-5f...#1:6000`), or cores (`core-3`). `memory`: the MiB of each GPU, where they are known. `limited`: `at_once`
    was asked for; otherwise the number of GPUs decides, or the size of the cluster.
    Of a `pool` (a cluster that itself decides what a run gets) a lease is one place (`ray-3`); there `node_cores` is
    what the smallest of its machines has, and `node_gpus` the largest; `memory` is that of the smallest GPU.
    """

    gpus: tuple[str, ...] = ()
    per_gpu: int = 1
    cores: int = 1
    at_once: int = 1
    memory: Mapping[str, int] = field(default_factory=dict)
    limited: bool = True
    pool: str | None = None
    node_cores: int | None = None
    node_gpus: int | None = None

    def threads(self, at_once: int) -> int:
        """The threads of each of so many runs at once, on any machine."""
        return max(1, min(self.cores // at_once, self.node_cores or self.cores))

    def lease(self, needs: Needs, taken: Collection[str]) -> list[str] | None:
        """What the run gets beside what is `taken` on this machine, by whomever; None when it does not fit now."""
        if self.pool:
            return [next(name for n in count() if (name := f"{self.pool}-{n}") not in taken)]
        if not self._lends_gpu(needs):
            return self._cores(taken, self._all_cores if needs.alone else min(needs.threads, self._all_cores))
        if needs.gpus > 1 or needs.alone or (self.per_gpu == 1 and not needs.gpu_memory):
            return self._whole(taken, needs.gpus)
        return self._share(taken, needs.gpu_memory)

    def never(self, needs: Needs) -> str | None:
        """What there is too little of for this run, however long it waits, in words; None when there is enough."""
        if not self._lends_gpu(needs):
            return None
        most = len(self.gpus) if self.node_gpus is None else self.node_gpus
        if needs.gpus > most:
            return f"{most} GPU{'s' * (most != 1)}"
        largest = max((self.memory.get(gpu, 0) for gpu in self.gpus), default=0)
        if needs.gpu_memory > largest:
            return f"{largest:,} MiB of a GPU" if largest else "GPUs whose memory cannot be told"
        return None

    def together(self, several: Iterable[Needs]) -> int:
        """How many of these, from the first on, may run at once."""
        taken: list[str] = []
        number = 0
        for number, needs in enumerate(several, 1):
            lease = self.lease(needs, taken)
            if lease is None:
                return number - 1
            taken += lease
        return number

    def _lends_gpu(self, needs: Needs) -> bool:
        return bool(self.gpus) and needs.device != "cpu"

    @property
    def _all_cores(self) -> int:
        return max(self.cores, self.at_once)  # whoever asks for more runs at once than cores gets them

    def _whole(self, taken: Collection[str], wanted: int) -> list[str] | None:
        """The first GPUs of which nobody has anything."""
        used = {gpu_of([name]) for name in taken}
        free = [gpu for gpu in self.gpus if gpu not in used]
        return free[:wanted] if len(free) >= wanted else None

    def _share(self, taken: Collection[str], mebibytes: int) -> list[str] | None:
        """A share of the GPU with the most room left: so many MiB, or if that is 0 one of `per_gpu` equal ones."""
        room = {}
        for gpu in self.gpus:
            shares = [name.partition("#")[2] for name in taken if gpu_of([name]) == gpu]
            memory = self.memory.get(gpu, 0)
            part = mebibytes or memory / self.per_gpu
            left = memory - sum(float(text.partition(":")[2] or memory / self.per_gpu) for text in shares)
            if "" not in shares and left >= part and (mebibytes or len(shares) < self.per_gpu):
                room[gpu] = (left, -len(shares))
        if not room:
            return None
        gpu = max(room, key=lambda gpu: room[gpu])
        used = {name.partition(":")[0] for name in taken}
        place = next(name for share in count() if (name := f"{gpu}#{share}") not in used)
        return [f"{place}:{mebibytes}" if mebibytes else place]

    def _cores(self, taken: Collection[str], wanted: int) -> list[str] | None:
        free = [name for name in (f"core-{number}" for number in range(self._all_cores)) if name not in taken]
        return free[:wanted] if len(free) >= wanted else None


def of_pool(lease: Sequence[str]) -> bool:
    """Whether a lease is a place in a cluster, where the processes of a run end with whoever submitted it."""
    return lease[0].startswith(f"{RAY}-")


def gpu_of(lease: Sequence[str]) -> str | None:
    """The GPU of a lease, the first of several, or the place in a pool; None for cores."""
    return None if lease[0].startswith("core-") else lease[0].partition("#")[0]


def variables_of(lease: Sequence[str]) -> dict[str, str]:
    """The environment variables that show a run its GPUs and no other, on cores none; on a shared one it takes memory
    as it needs it.
    """
    gpus = [] if gpu_of(lease) is None else [name.partition("#")[0] for name in lease]
    shown = {"CUDA_VISIBLE_DEVICES": ",".join(gpus) or "-1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return shown | ({"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if "#" in lease[0] else {})


def needs_of(entry: Entry) -> Needs:
    """What an entry of the queue asks for."""
    return Needs(entry.device, entry.threads, entry.alone, entry.gpu_memory, entry.gpus)


def gpus_there(variables: Mapping[str, str] = os.environ) -> dict[str, int]:
    """The GPUs this process may lend, by UUID, in the order of their numbers, with their MiB (0: not known).

    `CUDA_VISIBLE_DEVICES` limits them.
    """
    if PRETENDED in variables:
        named = [text.partition(":") for text in variables[PRETENDED].split(",") if text]
        return {name: mebibytes(memory) for name, _, memory in named}
    there = nvidia_memory()
    chosen = variables.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not there:
        return there
    names = [_named(text.strip(), list(there)) for text in chosen.split(",") if text.strip() not in ("", "-1")]
    return {name: there[name] for name in names}


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
