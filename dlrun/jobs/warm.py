"""A warm worker: commands that start in milliseconds, since TensorFlow is imported once for all of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlrun.errors import JobError


class WarmWorker:
    """The process `dlrun.worker`, which forks a child for each command. Starting it takes as long as one import.

    `variables` is the environment of all of them, None that of this process.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dlrun.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )
        self._requests = 0

    @property
    def pid(self) -> int:
        """The worker's process number."""
        return self._process.pid

    def start(self, argv: list[str], output: Path) -> WarmProcess:
        """Start `dlrun argv`; what it prints is added to the file `output`. Raises JobError when the worker is gone."""
        return WarmProcess(self, self.ask(start=argv, output=str(output)))

    def ask(self, **request: Any) -> Any:
        """The worker's answer. Raises JobError when it is gone."""
        assert self._process.stdin
        assert self._process.stdout
        self._requests += 1
        try:
            self._process.stdin.write(json.dumps({"number": self._requests, **request}) + "\n")
            self._process.stdin.flush()
            number = None
            while number != self._requests:  # a signal may have cut off the reading of earlier answers
                number, answer = json.loads(self._process.stdout.readline())
            return answer
        except (OSError, ValueError) as error:
            raise JobError("the worker process has ended", hint="run the same command again") from error

    def close(self) -> None:
        """End the worker; commands that still run are stopped, with a checkpoint."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def kill(self) -> None:
        """End it at once, if it has not ended; for a worker that has started nothing."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class WarmProcess:
    """A command in a child of the worker; the methods are those of `subprocess.Popen`."""

    def __init__(self, worker: WarmWorker, pid: int) -> None:
        self._worker, self.pid = worker, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, minus the number of the signal that ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._worker.ask(poll=self.pid)
        return self.returncode

    def terminate(self) -> None:
        """Ask the command to stop; a run writes a checkpoint first."""
        if self.poll() is None:  # not reaped, so the number is still its own
            os.kill(self.pid, signal.SIGTERM)
