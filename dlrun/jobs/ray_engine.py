"""Runs of the queue on the nodes of a Ray cluster. The queue stays here; Ray says where a run computes."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dlrun.errors import JobError
from dlrun.files import first_line, make_folder
from dlrun.jobs.entries import Entry
from dlrun.jobs.job import Job
from dlrun.jobs.leases import PRETENDED, RAY, Box, gpus_there
from dlrun.jobs.ray_run import DLRUN, RayRun
from dlrun.jobs.ray_runner import ASIDE, Runner

_LOOK_SECONDS = 5.0  # between two looks at how large the cluster is
_PATIENCE_SECONDS = 60.0  # for machines that are asked for the memory of their GPUs
LOCAL = "local"  # the address that asks for a cluster of this machine alone


def connect(address: str) -> None:
    """Join a Ray cluster; dlrun itself travels to its nodes. Raises JobError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise JobError("Ray is not installed", hint="pip install 'dlrun[ray]'") from error
    code = {"py_modules": [str(Path(__file__).parents[1])], "excludes": ["**/__pycache__"]}
    here = {"include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env=code, **here)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise JobError(
            f"the Ray cluster at {address!r} cannot be joined: {first_line(error)}",
            hint="start one: ray start --head; or --address local for this machine alone",
        ) from error


def leave() -> None:
    """Leave the cluster; runs that are still there end."""
    import ray

    ray.shutdown()


def cluster_box(at_once: int | None, per_gpu: int) -> Box:
    """What the cluster has, as Ray counts it. Raises JobError when it has no cores for runs."""
    cores, gpus = _there()
    if not cores:
        raise JobError("the Ray cluster has no cores for runs", hint="ray start --address=HEAD:6379 adds a machine")
    names = tuple(f"GPU {number}" for number in range(sum(gpus)))
    memory = dict.fromkeys(names, _smallest_memory()) if names else {}
    places = at_once or len(names) * per_gpu or sum(cores)
    box = Box(names, per_gpu, sum(cores), places, memory, limited=at_once is not None, pool=RAY)
    return replace(box, node_cores=min(cores), node_gpus=max(gpus, default=0))


def _there() -> tuple[list[int], list[int]]:
    """The cores of each machine that has any for runs, and the GPUs of each that has some."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores, gpus = ([int(node.get(kind, 0)) for node in nodes] for kind in ("CPU", "GPU"))
    return [count for count in cores if count], [count for count in gpus if count]


def _smallest_memory() -> int:
    """MiB of the smallest GPU, which each machine with GPUs is asked for; 0 when one cannot tell."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0, max_retries=0)(_gpus_of_node)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU", 0) >= 1]
    asked = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes
    ]
    try:
        answers: list[dict[str, int]] = ray.get(asked, timeout=_PATIENCE_SECONDS)
    except ray.exceptions.RayError:  # a node that is busy, or goes away just now
        return 0
    return min((memory for answer in answers for memory in answer.values() or [0]), default=0)


def _gpus_of_node() -> dict[str, int]:
    """All GPUs of a machine, for Ray hides them from a task that has asked for none."""
    return gpus_there({key: value for key, value in os.environ.items() if key == PRETENDED})


class RayEngine:
    """Gives each run an actor on a node that has room for it. `connect` comes first."""

    def __init__(self, box: Box, program: Sequence[str] = DLRUN) -> None:
        self._box, self._program = box, [*program]
        self._at_once, self._next_look = box.at_once, time.monotonic() + _LOOK_SECONDS
        self._most_shares = box.per_gpu  # of one GPU, so far
        self._tokens: dict[Path, Path] = {}

    def at_once(self) -> int:
        """How many runs there may be at a time."""
        if not self._box.limited and time.monotonic() > self._next_look:
            cores, gpus = _there()
            self._at_once = sum(gpus) * self._most_shares if self._box.gpus else sum(cores)
            self._next_look = time.monotonic() + _LOOK_SECONDS
        return self._at_once

    def start(self, entry: Entry, job: Job) -> RayRun:
        """A run that Ray is asked for as soon as it may go."""
        folder = make_folder(job.run_dir.parent)
        if folder not in self._tokens:
            self._tokens[folder] = make_folder(folder / ASIDE) / secrets.token_hex(16)
            self._tokens[folder].touch()
        make = partial(_actor, self._resources(entry), str(folder), job.run_dir.name, self._tokens[folder].name)
        return RayRun(job, [*self._program, *job.command], make)

    def _resources(self, entry: Entry) -> dict[str, float]:
        """What Ray shall keep for a run: a GPU or a share of it, or cores."""
        if self._box.gpus and entry.device != "cpu":
            share, memory = 1 / self._box.per_gpu, min(self._box.memory.values())
            if entry.gpu_memory:  # Ray counts in ten-thousandths
                share = min(1.0, math.ceil(1e4 * entry.gpu_memory / memory) / 1e4) if memory else 1.0
            self._most_shares = max(self._most_shares, int(1 / share))
            return {"num_cpus": 1, "num_gpus": entry.gpus if entry.gpus > 1 or entry.alone else share}
        cores = self._box.threads(1)
        return {"num_cpus": cores if entry.alone else min(entry.threads, cores)}

    def close(self) -> None:
        """Leave nothing behind in our folders."""
        for token in self._tokens.values():
            token.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another terminal has something in it
                token.parent.rmdir()


def _actor(resources: dict[str, float], *arguments: str) -> Any:
    import ray

    options = {"max_restarts": 0, "max_task_retries": 0, **resources}
    return ray.remote(Runner).options(**options).remote(*arguments, gpu="num_gpus" in resources)
