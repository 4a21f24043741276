"""Working on the queue: claim a run, start it, settle it; as many at once as the box has room for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dlrun.jobs.endings import BROKEN, OPEN, output_of
from dlrun.jobs.entries import Entry
from dlrun.jobs.job import Job
from dlrun.jobs.leases import Box, gpu_of, variables_of
from dlrun.jobs.queue import Queue
from dlrun.jobs.starting import DLRUN, FreshProcess, HeldProcess, Starter
from dlrun.processes import process_of

POLL_SECONDS = 0.05
LOOK_SECONDS = 0.25  # between two looks at the whole queue; more where a look takes long
_PATIENCE = 20  # times as long as a look took

Look = Callable[[list[Entry]], None]


class Started(Protocol):
    """A run that was started. `pid` is its process when that is one of this machine, else None."""

    @property
    def pid(self) -> int | None: ...
    def go(self) -> None: ...
    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...


class Engine(Protocol):
    """What starts runs: `LocalEngine`, or that of Ray."""

    def at_once(self) -> int: ...
    def start(self, entry: Entry, job: Job) -> Started: ...
    def close(self) -> None: ...


class LocalEngine:
    """Processes of this machine; those on cores with TensorFlow are forked from a warm worker, if that is allowed."""

    def __init__(self, box: Box, *, warm: bool, program: Sequence[str] = DLRUN) -> None:
        self._box, self._warm, self._starter = box, warm, Starter(program)

    def at_once(self) -> int:
        """How many runs there may be at a time; of GPUs what is lent decides, unless a number was asked for."""
        return sys.maxsize if self._box.gpus and not self._box.limited else self._box.at_once

    def start(self, entry: Entry, job: Job) -> FreshProcess | HeldProcess:
        """A process at its gate."""
        output = output_of(job.run_dir)
        if self._warm and gpu_of(entry.lease) is None and entry.backend == "tensorflow":
            return self._starter.warm(job.command, output)
        return self._starter.fresh(job.command, output, variables_of(entry.lease))

    def close(self) -> None:
        """End the warm worker."""
        self._starter.close()


@dataclass(frozen=True)
class Orders:
    """What a call of `work` is for: the entries by number (None: all), and after how many failures it stops.

    `engine`: what starts the runs, closed at the end; without it this machine does, `warm` and with `program`.
    """

    wanted: Collection[int] | None = None
    max_failures: int | None = None
    warm: bool = True
    program: tuple[str, ...] = DLRUN
    engine: Engine | None = None


@dataclass
class Worker:
    """A process that works on the queue; `running` by the numbers of the entries."""

    queue: Queue
    box: Box
    orders: Orders
    engine: Engine = field(init=False)
    running: dict[int, Started] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.engine = self.orders.engine or LocalEngine(self.box, warm=self.orders.warm, program=self.orders.program)

    def settle_ended(self) -> bool:
        """Give back what has ended; whether anything has."""
        count = len(self.running)
        for number, process in list(self.running.items()):
            exit_code = process.poll()
            if exit_code is not None:
                self._settle(number, exit_code)
        return len(self.running) < count

    def _settle(self, number: int, exit_code: int, *, stopped: bool = False) -> None:
        del self.running[number]
        self.asked.discard(number)
        self.queue.settle(number, exit_code, stopped=stopped)

    def fill(self) -> None:
        """Begin whatever there is room for."""
        while len(self.running) < self.engine.at_once():
            entry = self.queue.claim(self.box)
            if entry is None:
                return
            self._begin(entry)

    def _begin(self, entry: Entry) -> None:
        job = self.queue.job(entry)
        if job.done:
            self.queue.settle(entry.number, 0)
        elif job.elsewhere:  # a user's, or one that outlived whoever started it: `recover` sees its end
            self.queue.hand_over(entry.number, job.process())
        else:
            process = self.engine.start(entry, job)
            self.running[entry.number] = process
            if process.pid is not None:
                self.queue.started(entry.number, process_of(process.pid))
            process.go()

    def stop(self, numbers: Collection[int]) -> None:
        """Ask runs to write a checkpoint and end: once, for a second signal would disturb what the first began."""
        for number, process in self.running.items():
            if number in numbers and number not in self.asked:
                self.asked.add(number)
                process.terminate()

    def leave(self) -> None:
        """Stop everything, wait until it has ended, and put it back into the queue."""
        try:
            self.stop(self.running)
            while self.running:
                for number, process in list(self.running.items()):
                    exit_code = process.poll()
                    if exit_code is not None:
                        self._settle(number, exit_code, stopped=True)
                time.sleep(POLL_SECONDS)
        finally:
            self.engine.close()
            self.queue.release()


def work(queue: Queue, box: Box, orders: Orders, on_look: Look = lambda entries: None) -> list[Entry]:
    """Run what waits in the queue until the wanted entries have ended, whoever runs them, and return them.

    `on_look` gets the wanted entries several times a second. With `max_failures` the runs of this process are stopped
    after so many failures and go back into the queue, and so they are by whatever ends the call early
    (KeyboardInterrupt).
    """
    worker = Worker(queue, box, orders)
    before = {entry.number for entry in queue.entries(orders.wanted) if entry.state == BROKEN}
    entries: list[Entry] = []
    next_look = 0.0
    try:
        while True:
            if worker.settle_ended() or time.monotonic() > next_look:
                began = time.monotonic()
                queue.recover()
                entries = queue.entries(orders.wanted)
                on_look(entries)
                worker.stop({entry.number for entry in entries if entry.cancelled})
                now = time.monotonic()
                next_look = now + max(LOOK_SECONDS, _PATIENCE * (now - began))
            failed = sum(entry.state == BROKEN and entry.number not in before for entry in entries)
            if orders.max_failures and failed >= orders.max_failures:
                break
            if any(entry.state in OPEN for entry in entries):
                worker.fill()
            elif not worker.running:
                break
            time.sleep(POLL_SECONDS)
    finally:
        worker.leave()
    entries = queue.entries(orders.wanted)
    on_look(entries)
    return entries
