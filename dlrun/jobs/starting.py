"""Processes of queued runs. Each waits at a gate until the queue has noted it, so that none runs unknown to it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlrun.errors import JobError
from dlrun.jobs.warm import WarmProcess, WarmWorker
from dlrun.processes import alive, process_of

DLRUN = (sys.executable, "-m", "dlrun")
LOST = -int(signal.SIGKILL)  # the exit code of a process whose end nobody saw
_GATE = ["/bin/sh", "-c", 'read go && exec "$@" </dev/null', "sh"]  # its starter's death closes the gate for good


class Starter:
    """Starts commands in fresh processes, or in children of a warm worker, which comes with the first one.

    `program` is what a fresh process runs in front of the command.
    """

    def __init__(self, program: Sequence[str] = DLRUN) -> None:
        self._program = [*program]
        self._worker: WarmWorker | None = None

    def fresh(self, command: Sequence[str], output: Path, variables: dict[str, str]) -> FreshProcess:
        """A process at its gate, with these environment variables besides those of this process."""
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as stream:
            process = subprocess.Popen(
                [*_GATE, *self._program, *command],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **variables},
            )
        return FreshProcess(process)

    def warm(self, command: list[str], output: Path) -> HeldProcess:
        """A child of the warm worker at its gate. Raises JobError when no worker can be started."""
        output.parent.mkdir(parents=True, exist_ok=True)
        if self._worker is not None:
            with contextlib.suppress(JobError):
                return HeldProcess(self._worker, self._worker.ask(start=command, output=str(output), hold=True))
            self.close()  # it was killed: another takes its place
        self._worker = WarmWorker()
        return HeldProcess(self._worker, self._worker.ask(start=command, output=str(output), hold=True))

    def close(self) -> None:
        """End the warm worker; commands that still run in it are stopped, with a checkpoint."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


class FreshProcess:
    """A process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.pid = process, process.pid
        self.poll, self.terminate = process.poll, process.terminate

    def go(self) -> None:
        """Open the gate."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it was killed at the gate
            self._process.stdin.write(b"go\n")
            self._process.stdin.flush()
            self._process.stdin.close()


class HeldProcess(WarmProcess):
    """A child of the warm worker; when that is gone, the child is watched from afar."""

    def __init__(self, worker: WarmWorker, pid: int) -> None:
        super().__init__(worker, pid)
        self._afar = SeenProcess(process_of(pid))

    def go(self) -> None:
        """Open the gate."""
        with contextlib.suppress(JobError):
            self._worker.ask(go=self.pid)

    def poll(self) -> int | None:
        """The exit code; `LOST` when the worker died before it was known."""
        try:
            return super().poll()
        except JobError:
            self.returncode = self._afar.poll()
            return self.returncode


class SeenProcess:
    """A process that someone else has started, known by what `process_of` says."""

    def __init__(self, process: dict[str, Any]) -> None:
        self._process, self.pid = process, int(process.get("pid", 0))

    def poll(self) -> int | None:
        """None while it lives, then `LOST`."""
        return None if alive(self._process) else LOST

    def terminate(self) -> None:
        """Ask it to write a checkpoint and end."""
        if alive(self._process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
