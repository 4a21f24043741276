"""A helper process that has imported Keras and TensorFlow once and forks a child for each `dlrun` command.

TensorFlow takes 4 s to import. A fork before any of its operations has run is safe, and costs nothing. Requests and
answers are lines of JSON on standard input and output. Off Linux each command gets a fresh process.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import injected

LONGEST_SECONDS = 120.0
FORKS = sys.platform == "linux" and "DLRUN_FAULTS_FRESH" not in os.environ

_PACE = "WRITING_SHARE"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (minus the signal's number when one killed it), and what it printed."""

    code: int
    text: str
    changes: list[str] = field(default_factory=list)


class ForkServer:
    """The side of the tests. `prefix` is put before the helper's command, such as `unshare -rm`."""

    def __init__(self, folder: Path, prefix: Sequence[str] = ()) -> None:
        self._lock = threading.Lock()
        command = [*prefix, sys.executable, __file__, str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def start(self, *argv: object, cwd: Path, fault: Mapping[str, Any] | None = None) -> int:
        """Start `dlrun argv` and return its process id."""
        text = [str(argument) for argument in argv]
        return int(self._ask("start", argv=text, cwd=str(cwd), fault=dict(fault or {})))

    def wait(self, pid: int) -> Ended:
        """Wait for a command that was started. Raises TimeoutError, after killing it, when it takes too long."""
        until = time.monotonic() + LONGEST_SECONDS
        while (found := self._ask("poll", pid=pid)) is None:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                raise TimeoutError(f"the command in process {pid} did not end")
            time.sleep(0.01)
        return Ended(**found)

    def run(self, *argv: object, cwd: Path, fault: Mapping[str, Any] | None = None) -> Ended:
        """`start`, then `wait`."""
        return self.wait(self.start(*argv, cwd=cwd, fault=fault))

    def run_for(self, seconds: float, *argv: object, cwd: Path, number: int = signal.SIGKILL) -> Ended:
        """Start a command and send it a signal after some time, when it still runs then."""
        pid = self.start(*argv, cwd=cwd)
        time.sleep(seconds)
        os.kill(pid, number)  # not reaped yet, so the number is still its own
        return self.wait(pid)

    def shell(self, command: str) -> None:
        """Run a shell command where the helper runs, in its name space of mounts. Raises RuntimeError when it fails."""
        if trouble := self._ask("shell", command=command):
            raise RuntimeError(f"{command}: {trouble}")

    @property
    def root(self) -> Path:
        """The file system as the helper sees it."""
        return Path(f"/proc/{self._ask('pid')}/root")

    def close(self) -> None:
        """End the helper; the children that still run are killed."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=LONGEST_SECONDS)

    def _ask(self, request: str, **values: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:  # several threads may have commands running
            self._process.stdin.write(json.dumps({"request": request, **values}) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


class _Helper:
    """The side of the helper process."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, itertools.count()
        self._outputs: dict[int, Path] = {}
        self._fresh: list[subprocess.Popen[bytes]] = []

    def answer(self, request: str, values: dict[str, Any]) -> Any:
        """What a request asks for."""
        if request == "start":
            return self._start(**values)
        if request == "poll":
            return self._poll(**values)
        if request == "shell":
            done = subprocess.run(["sh", "-c", values["command"]], capture_output=True, text=True)
            return done.stderr if done.returncode else ""
        return os.getpid()

    def _start(self, argv: list[str], cwd: str, fault: dict[str, Any]) -> int:
        output = self._folder / f"{next(self._numbers)}.txt"
        pid = os.fork() if FORKS else self._start_fresh([argv, cwd, fault, str(output)])
        if pid == 0:
            os._exit(_work(argv, cwd, fault, output))
        self._outputs[pid] = output
        return pid

    def _start_fresh(self, work: list[Any]) -> int:
        self._fresh.append(subprocess.Popen([sys.executable, __file__, "--once", json.dumps(work)]))
        return self._fresh[-1].pid

    def _poll(self, pid: int) -> dict[str, Any] | None:
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            return None
        output = self._outputs.pop(pid)
        changes = output.with_suffix(".json")
        found = json.loads(changes.read_text()) if changes.exists() else []
        text = output.read_text() if output.exists() else ""
        return {"code": os.waitstatus_to_exitcode(status), "text": text, "changes": found}

    def close(self) -> None:
        """Kill the children that still run."""
        for pid in self._outputs:
            os.kill(pid, signal.SIGKILL)


def _work(argv: list[str], cwd: str, fault: dict[str, Any], output: Path) -> int:
    """In the child: the command, with its output in a file. Returns its exit code, 70 for what is no DlrunError."""
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(cwd)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background of a shell ignore it
        from dlrun.cli import main

        changes = injected.install(fault)
        code = main(argv)
        if changes:
            output.with_suffix(".json").write_text(json.dumps(changes))
    except BaseException:  # what a user would see as a traceback
        traceback.print_exc()
        code = 70
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _warm_up() -> None:
    """Everything that a run imports, and pictures that cost nothing."""
    from matplotlib.figure import Figure

    from dlrun.environment import import_keras

    import_keras("tensorflow", "auto", lean=True)
    for name in ("sklearn.datasets", "dlrun.cli.train", "dlrun.evaluate", "dlrun.predict", "dlrun.train"):
        importlib.import_module(name)

    pacing = [module for name, module in sys.modules.items() if name.startswith("dlrun.") and _PACE in vars(module)]
    assert pacing, f"nothing in dlrun is called {_PACE} any more"
    for module in pacing:
        setattr(module, _PACE, 1e9)  # epochs of milliseconds are written, too
    Figure.savefig = lambda _figure, path, **_options: Path(path).touch()  # type: ignore[method-assign]


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    _warm_up()
    helper = _Helper(Path(sys.argv[1]))
    for line in sys.stdin:
        values = json.loads(line)
        answers.write(json.dumps(helper.answer(values.pop("request"), values)) + "\n")
        answers.flush()
    helper.close()


if __name__ == "__main__":
    if sys.argv[1] == "--once":
        _warm_up()
        argv, cwd, fault, output = json.loads(sys.argv[2])
        os._exit(_work(argv, cwd, fault, Path(output)))
    _serve()
