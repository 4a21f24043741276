"""One process at a time: its wall time, its epochs, its peak memory, and what it says about its work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

# The last line of an epoch, as each side prints it.
KERAS_EPOCH = re.compile(r"^\d+/(?P<steps>\d+) - .*?(?P<metrics>(?:[a-z_]\w*: \S+(?: - )?)+)$")
KERAS_VALUE = re.compile(r"(\w+): ([-+.\deE]+|nan|inf)")
DLRUN_EPOCH = re.compile(r"^epoch \d+  [\d.]+ s  (?P<metrics>.*)$")
DLRUN_VALUE = re.compile(r"(\w+) ([-+.\deE]+|nan|inf)(?:  |$)")
DLRUN_STEPS = re.compile(r"^model: .* epochs of (?P<steps>\d+) steps\b")
SAME_METRICS = {"acc": "accuracy", "val_acc": "val_accuracy"}


class SideFailedError(Exception):
    """A side ended with an error, or did not print its epochs."""


@dataclass
class Work:
    """What a process printed about its training: seconds at each epoch's end, steps an epoch, last metrics."""

    ends: list[float] = field(default_factory=list)
    steps: int = 0
    metrics: dict[str, float] = field(default_factory=dict)

    def take(self, line: str, seconds: float) -> None:
        """Read one line that arrived `seconds` after the start; other lines than those of epochs are passed over."""
        if found := DLRUN_STEPS.match(line):
            self.steps = int(found["steps"])
        elif found := KERAS_EPOCH.match(line):
            self.steps = int(found["steps"])
            self._epoch(seconds, KERAS_VALUE.findall(found["metrics"]))
        elif found := DLRUN_EPOCH.match(line):
            self._epoch(seconds, DLRUN_VALUE.findall(found["metrics"]))

    def _epoch(self, seconds: float, values: Sequence[tuple[str, str]]) -> None:
        self.ends.append(seconds)
        self.metrics = {SAME_METRICS.get(name, name): float(value) for name, value in values}

    @property
    def steady_epoch(self) -> float:
        """Median seconds from one epoch's end to the next one's. Raises SideFailedError with less than two epochs."""
        if len(self.ends) < 2:
            raise SideFailedError(f"{len(self.ends)} epochs were printed; two are needed")
        return median(later - earlier for earlier, later in zip(self.ends, self.ends[1:], strict=False))


@dataclass(frozen=True)
class Side:
    """One measured process. Seconds; memory in bytes."""

    wall: float
    epoch: float
    memory: int
    epochs: int
    steps: int
    metrics: dict[str, float]


def run_side(command: Sequence[str], variables: Mapping[str, str]) -> Side:
    """Run a training command to its end and measure it. Raises SideFailedError with the end of its output."""
    work, tail = Work(), list[str]()

    def read(line: str, seconds: float) -> None:
        work.take(line, seconds)
        tail.append(line)
        del tail[:-12]

    wall, memory, code = run_process(command, variables, read)
    if code:
        raise SideFailedError(f"exit code {code} of {' '.join(command)}\n" + "\n".join(tail))
    return Side(wall, work.steady_epoch, memory, len(work.ends), work.steps, work.metrics)


def run_process(
    command: Sequence[str],
    variables: Mapping[str, str],
    read: Callable[[str, float], None] = lambda line, seconds: None,
) -> tuple[float, int, int]:
    """Wall seconds, peak memory in bytes and exit code of a process whose lines are passed to `read(line, seconds)`.

    Memory is `ru_maxrss` of this one child as `os.wait4` gives it. Both output streams share one pipe.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        for line in child.stdout or ():
            read(line.rstrip("\n"), time.perf_counter() - began)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    memory = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
    return wall, memory, child.returncode


def seconds_of(command: Sequence[str], times: int) -> float:
    """Median wall seconds of a short command. Raises SideFailedError when it fails."""
    walls = []
    for _ in range(times):
        wall, _, code = run_process(command, {})
        if code:
            raise SideFailedError(f"exit code {code} of {' '.join(command)}")
        walls.append(wall)
    return median(walls)
