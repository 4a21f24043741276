"""Jobs on this machine: each in a fresh process, at most `slots` at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dlrun.errors import JobError
from dlrun.jobs.job import Job

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class JobResult:
    """How a job ended: its run's status (None when it never began) and the process' exit code (None when skipped)."""

    job: Job
    status: str | None
    exit_code: int | None


def run_jobs(
    jobs: Sequence[Job], slots: int = 1, *, on_end: Callable[[JobResult], None] = lambda result: None
) -> list[JobResult]:
    """Run all jobs and return their results in the same order.

    All state is in the run directories: jobs whose run is completed are skipped, interrupted runs are resumed, and a
    run that another process still works on is waited for, so the same call after a crash does only what is missing. A
    failed job does not stop the others. What ends this call early (KeyboardInterrupt) stops the processes first.
    Raises JobError when two jobs share a directory or there is no slot.
    """
    if slots < 1:
        raise JobError("jobs need at least one slot", received=str(slots))
    if len({job.run_dir.absolute() for job in jobs}) < len(jobs):
        raise JobError("two jobs share a run directory")
    results: dict[int, JobResult] = {}
    waiting, running = list(enumerate(jobs)), dict[int, subprocess.Popen[bytes] | None]()

    def end(number: int, exit_code: int | None) -> None:
        results[number] = JobResult(jobs[number], jobs[number].status(), exit_code)
        on_end(results[number])

    try:
        while waiting or running:
            while waiting and len(running) < slots:
                number, job = waiting.pop(0)
                if job.done:
                    end(number, None)
                else:
                    running[number] = None if job.elsewhere else _start(job)
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
        _stop([process for process in running.values() if process is not None])
    return [results[number] for number in range(len(jobs))]


def _start(job: Job) -> subprocess.Popen[bytes]:
    """A child process; what it prints goes to `<run_dir>.out`, beside the directory that it claims itself.

    In a session of its own: a Ctrl-C of the terminal reaches this process only, which then stops the child once.
    """
    job.run_dir.parent.mkdir(parents=True, exist_ok=True)
    with job.run_dir.with_name(f"{job.run_dir.name}.out").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "dlrun", *job.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask the processes to write a checkpoint and end, and wait until they have."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
