"""How a run of the queue ended, and what follows: each class of failure has its own policy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.errors import RunDirError
from dlrun.jobs.job import Job
from dlrun.run_dir import COMPLETED, FAILED, RunDir

WAITING, RUNNING, DONE, BROKEN, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OPEN = (WAITING, RUNNING)
STATES = (*OPEN, DONE, BROKEN, CANCELLED)
OOM, CRASH, NODE, CONFIG, ERROR = "oom", "crash", "node", "config", "error"
MOST_RETRIES = {CRASH: 3, NODE: 10}  # of a run whose process crashed or was killed, or whose machine was lost
NODE_LOST = -1000  # in place of an exit code; no signal has this number

_PLACE = re.compile(r"^\S+\.yaml:\d+:\d+: ")  # in the config of the run, which the user has not written
_TAIL_BYTES = 20_000


@dataclass(frozen=True)
class Attempt:
    """One try of a run: what was known when it began (seconds since 1970), and how its process ended.

    `exit_code` is None when nobody saw the end. `stopped`: it was asked to stop, so that stopping is no failure.
    """

    job: Job
    began: float
    crashes: int
    alone: bool
    cancelled: bool
    exit_code: int | None = None
    stopped: bool = False


def after(attempt: Attempt) -> dict[str, Any]:
    """The changes of the queue's entry: its state, why it failed, and how it is tried again.

    A completed run is done whatever its process said. Memory ran out: once more, alone on a device. A crash or signal,
    or the loss of a cluster's node: again from the checkpoint, as often as `MOST_RETRIES` says. Everything else (NaN,
    shapes, config, data, disk) would repeat itself and is not tried again.
    """
    if attempt.job.status() == COMPLETED:
        return {"state": DONE, "failure": None, "message": None}
    if attempt.cancelled:
        return {"state": CANCELLED}
    record = _record_of(attempt)
    if record.get("status") == FAILED:
        failure = record.get("failure") or {}
        kind, message = str(failure.get("kind") or CRASH), _said(str(failure.get("message") or ""))
    elif attempt.stopped or attempt.exit_code is None:
        return {"state": WAITING}
    else:
        kind, message = _from_process(attempt.exit_code, attempt.job.run_dir)
    told = {"failure": kind, "message": message}
    if kind == OOM and not attempt.alone:
        return {**told, "state": WAITING, "alone": 1}
    if attempt.crashes < MOST_RETRIES.get(kind, 0):
        return {**told, "state": WAITING, "crashes": attempt.crashes + 1}
    return {**told, "state": BROKEN}


def _record_of(attempt: Attempt) -> dict[str, Any]:
    """What `run.json` says of this attempt; nothing when it is still that of an earlier one."""
    run = RunDir(attempt.job.run_dir)
    try:
        return run.record() if run.record_file.stat().st_mtime > attempt.began else {}
    except (OSError, RunDirError):
        return {}


def _from_process(exit_code: int, run_dir: Path) -> tuple[str, str]:
    """Class and message of a process that ended before its run could say why."""
    if exit_code == NODE_LOST:
        return NODE, "the node it ran on was lost"
    lines = end_of_output(run_dir).splitlines()
    errors = [_said(line) for line in lines if line.startswith("error: ")]
    if exit_code < 0 or exit_code in (0, 75, 130):
        how = f"signal {-exit_code}" if exit_code < 0 else f"code {exit_code}"
        return CRASH, f"its process ended with {how}"
    last = errors[-1] if errors else next((line for line in reversed(lines) if line.strip()), "")
    message = last or f"its process ended with code {exit_code}"
    if exit_code == 2:
        return CONFIG, message
    return (ERROR if errors else CRASH), message


def end_of_output(run_dir: Path) -> str:
    """The end of what the run's process has printed."""
    try:
        with output_of(run_dir).open("rb") as stream:
            stream.seek(max(0, output_of(run_dir).stat().st_size - _TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def output_of(run_dir: Path) -> Path:
    """The file beside a run directory with what its processes print."""
    return run_dir.with_name(f"{run_dir.name}.out")


def _said(text: str) -> str:
    """The first line of a message, without the place in a file that the user has not written."""
    return _PLACE.sub("", (text.removeprefix("error: ").splitlines() or [""])[0])
