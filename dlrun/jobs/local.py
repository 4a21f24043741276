"""Jobs on this machine, at most `slots` at a time: each in a fresh process, or in a child of a warm worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dlrun.environment import SHARE_OF_CORES, available_cores
from dlrun.errors import JobError
from dlrun.jobs.warm import WarmProcess, WarmWorker

POLL_SECONDS = 0.01

Process = subprocess.Popen[bytes] | WarmProcess
Start = Callable[["Runnable"], Process]


class Runnable(Protocol):
    """What can be run: a Job, or another command. `command` is what follows `dlrun`; `run_dir` names its output."""

    @property
    def command(self) -> list[str]: ...
    @property
    def run_dir(self) -> Path: ...
    @property
    def done(self) -> bool: ...
    @property
    def elsewhere(self) -> bool: ...
    def status(self) -> str | None: ...


@dataclass(frozen=True)
class JobResult:
    """How a job ended: its run's status (None when it never began) and the process' exit code (None when skipped)."""

    job: Runnable
    status: str | None
    exit_code: int | None


def run_jobs(
    jobs: Sequence[Runnable],
    slots: int = 1,
    *,
    warm: bool = False,
    start: Start | None = None,
    on_end: Callable[[JobResult], None] = lambda result: None,
) -> list[JobResult]:
    """Run all jobs and return their results in the same order.

    All state is in the run directories: jobs whose run is completed are skipped, interrupted runs are resumed, and a
    run that another process still works on is waited for, so the same call after a crash does only what is missing. A
    failed job does not stop the others. What ends this call early (KeyboardInterrupt) stops the processes first.
    `warm` starts several jobs from one process that has imported TensorFlow; it is for CPUs on Linux. `start` is that
    of a `starter` which more calls than this one use.
    Raises JobError when two jobs share a directory or there is no slot.
    """
    if slots < 1:
        raise JobError("jobs need at least one slot", received=str(slots))
    if len({job.run_dir.absolute() for job in jobs}) < len(jobs):
        raise JobError("two jobs share a run directory")
    results: dict[int, JobResult] = {}
    waiting, running = list(enumerate(jobs)), dict[int, Process | None]()

    def end(number: int, exit_code: int | None) -> None:
        results[number] = JobResult(jobs[number], jobs[number].status(), exit_code)
        on_end(results[number])

    several = sum(not job.done for job in jobs) > 1
    with nullcontext(start) if start else starter(warm and several, slots) as begin:
        try:
            while waiting or running:
                while waiting and len(running) < slots:
                    number, job = waiting.pop(0)
                    if job.done:
                        end(number, None)
                    else:
                        running[number] = None if job.elsewhere else begin(job)
                for number, process in list(running.items()):
                    if process is None and not jobs[number].elsewhere:
                        del running[number]
                        waiting.insert(0, (number, jobs[number]))
                    elif process is not None and process.poll() is not None:
                        del running[number]
                        end(number, process.returncode)
                if running:
                    time.sleep(POLL_SECONDS)
        finally:
            stop_all([process for process in running.values() if process is not None])
    return [results[number] for number in range(len(jobs))]


@contextmanager
def starter(warm: bool, slots: int = 1, worker: WarmWorker | None = None) -> Iterator[Start]:
    """What starts a job; its output goes to `<run_dir>.out`, beside the directory that it claims itself.

    Where a job's config does not say how many threads it takes, it takes its share of the cores, one of `slots`.
    `worker` is one that was started ahead for as many slots; it ends at once when it is not wanted.
    """
    variables = _variables(slots)
    if not warm:
        if worker:
            worker.kill()
        worker = None
    elif worker is None and sys.platform == "linux":
        worker = WarmWorker(variables)

    def start(job: Runnable) -> Process:
        job.run_dir.parent.mkdir(parents=True, exist_ok=True)
        output = job.run_dir.with_name(f"{job.run_dir.name}.out")
        return worker.start(job.command, output) if worker else _start_fresh(job.command, output, variables)

    try:
        yield start
    finally:
        if worker:
            worker.close()


@contextmanager
def worker_ahead(wanted: bool, slots: int = 1) -> Iterator[WarmWorker | None]:
    """A worker for a `starter` to come: it imports TensorFlow while a command still reads its config. It does not
    outlive the context.
    """
    worker = WarmWorker(_variables(slots)) if wanted and sys.platform == "linux" else None
    try:
        yield worker
    finally:
        if worker:
            worker.kill()


def _variables(slots: int) -> dict[str, str]:
    return {**os.environ, SHARE_OF_CORES: str(max(1, available_cores() // slots))}


def _start_fresh(command: Sequence[str], output: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with output.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "dlrun", *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=variables,
        )


def stop_all(processes: Sequence[Process]) -> None:
    """Ask the processes to write a checkpoint and end, and wait until they have."""
    for process in processes:
        process.terminate()
    while any(process.poll() is None for process in processes):
        time.sleep(POLL_SECONDS)
