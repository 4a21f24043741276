"""A process that has imported Keras and TensorFlow once, and forks a child for each command of `dlrun`.

Jobs start it as `python -m dlrun.worker` (`dlrun.jobs.warm`). Requests and answers are lines of JSON on standard input
and output: `{"start": ["train", ...], "output": FILE}` is answered by a process id, `{"poll": ID}` by an exit code, or
null while the command runs; each answer stands after the `number` of its request. With `"hold": true` a command waits
until `{"go": ID}`, and ends should this process die before. No operation of TensorFlow runs in here and no device is
touched, so a fork is safe.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

# What a run imports besides Keras; whatever is missing here is imported by each child.
_WARM = (
    *("dlrun.cli.train", "dlrun.evaluate", "dlrun.predict", "dlrun.train", "dlrun.routines.fit", "dlrun.models.layers"),
    *("sklearn.model_selection", "sklearn.metrics", "matplotlib.backends.backend_agg"),
)


def main() -> None:
    """Answer requests until standard input ends; commands that still run then are stopped, with a checkpoint."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the commands, which the terminal tells itself
    _warm_up()
    running: set[int] = set()
    gates: dict[int, int] = {}
    with contextlib.suppress(BrokenPipeError):  # whoever asked was killed
        for line in sys.stdin:
            request = json.loads(line)
            answers.write(json.dumps([request["number"], _answer(request, running, gates)]) + "\n")
            answers.flush()
    for pid in running:
        os.kill(pid, signal.SIGTERM)
    for pid in running:
        os.waitpid(pid, 0)


def _warm_up() -> None:
    from dlrun import cli
    from dlrun.environment import import_keras, no_collections

    with no_collections():
        import_keras("tensorflow", "cpu", lean=True)
        for name in _WARM:
            importlib.import_module(name)
        cli.command()
    gc.freeze()  # a collection in a child would copy the pages of all this


def _answer(request: dict[str, Any], running: set[int], gates: dict[int, int]) -> int | None:
    if "start" in request:
        pid = _fork(request, gates)
        running.add(pid)
        return pid
    if "go" in request:
        with contextlib.suppress(OSError):  # it was killed at the gate
            os.write(gates[request["go"]], b"!")
        return None
    pid, status = os.waitpid(request["poll"], os.WNOHANG)
    if not pid:
        return None
    running.discard(pid)
    if pid in gates:
        os.close(gates.pop(pid))
    return os.waitstatus_to_exitcode(status)


def _fork(request: dict[str, Any], gates: dict[int, int]) -> int:
    """A child for the command, at its gate when it shall wait: `gates` has the pipe that opens it."""
    waiting, opening = os.pipe() if request.get("hold") else (None, None)
    pid = os.fork()
    if pid == 0:
        for gate in (opening, *gates.values()):
            if gate is not None:
                os.close(gate)  # so that a read ends when the worker has died
        if waiting is not None and not os.read(waiting, 1):
            os._exit(130)
        _run(request["start"], request["output"])
    if waiting is not None and opening is not None:
        os.close(waiting)
        gates[pid] = opening
    return pid


def _run(argv: list[str], output: str) -> NoReturn:
    """In the child: the command, as a fresh process would do it."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = ["dlrun", *argv]  # what the run records as its command
        from dlrun.cli import main as run_command

        code = run_command(argv)
    except BaseException:  # a bug: it keeps its traceback
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
    os._exit(0)  # whoever closed it waits, and to take TensorFlow apart takes 0.2 s
