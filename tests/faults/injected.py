"""Faults inside a process that runs `dlrun`: it dies, or the disk fails, at a chosen moment.

A fault is a mapping of plain values, so that it travels as JSON:

- `{"kill": {"epoch": 3}}`: SIGKILL when epoch 3 has ended and is not yet written. `{"kill": {"epoch": 3, "signals":
  ["SIGINT", "SIGINT"]}}`: these signals instead, as from Ctrl-C.
- `{"kill": {"event": "DataReady"}}`: at that event of the run.
- `{"kill": {"operation": 17, "under": PATH}}`: SIGKILL before the 17th change of a file below PATH (counted from 0).
- `{"kill": {"change": "rename .last", "under": PATH}}`: before the first change that begins so, seen from PATH.
- `{"fail": {"operation": 17, "under": PATH, "errno": 28, "lasting": true}}`: that change, and with `lasting` every one
  after it, raises OSError.
- `{"largest_file": 512}`: no file grows beyond 512 bytes (RLIMIT_FSIZE: the write itself fails, in C code as well).
- `{"count": PATH}`: nothing happens but that the changes below PATH are listed.

Changes are opening for writing, mkdir, rename, remove, rmdir, fsync.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def install(fault: dict[str, Any]) -> list[str]:
    """Arm a fault in this process, for good. The returned list fills with the changes, if they are to be counted."""
    if limit := fault.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    kill, fail = fault.get("kill", {}), fault.get("fail", {})
    signals = kill.get("signals", ["SIGKILL"])
    if "epoch" in kill or "event" in kill:
        _at_event(kill.get("event", "EpochDone"), kill.get("epoch"), lambda: _send(signals))
    if "operation" in kill:
        _at_changes(kill["under"], lambda number, _name: _send(signals) if number == kill["operation"] else None)
    if "change" in kill:
        _at_changes(kill["under"], lambda _number, name: _send(signals) if name.startswith(kill["change"]) else None)
    if fail:
        _at_changes(fail["under"], lambda number, name: _refuse(fail, number, name))
    names: list[str] = []
    if under := fault.get("count"):
        _at_changes(under, lambda _number, name: names.append(name))
    return names


def _send(signals: list[str]) -> None:
    for name in signals:
        os.kill(os.getpid(), getattr(signal, name))


def _refuse(fail: dict[str, Any], number: int, name: str) -> None:
    if number == fail["operation"] or (fail.get("lasting") and number > fail["operation"]):
        raise OSError(fail["errno"], os.strerror(fail["errno"]), name.partition(" ")[2])


def _at_changes(under: str, act: Callable[[int, str], None]) -> None:
    """Call `act(number, "open best.keras")` before each change of a file below `under`."""
    prefix, number = os.path.abspath(under) + os.sep, -1  # noqa: PTH100 - inside a hook that sees every open

    def seen(event: str, path: Any) -> None:
        nonlocal number
        text = os.path.abspath(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else ""  # noqa: PTH100
        if text.startswith(prefix):
            number += 1
            act(number, f"{event} {text.removeprefix(prefix)}")

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            seen("open", arguments[0])
        elif event in CHANGES:
            seen(event.removeprefix("os."), arguments[0])

    plain = os.fsync

    def fsync(file: Any) -> None:
        seen("fsync", os.readlink(f"/proc/self/fd/{file if isinstance(file, int) else file.fileno()}"))  # noqa: PTH115
        plain(file)

    sys.addaudithook(audit)
    os.fsync = fsync


def _at_event(name: str, epoch: int | None, act: Callable[[], None]) -> None:
    """Call `act` when the run has reported an event; of epochs only this one, counted from 1."""
    from dlrun.engine.recording import RunLog

    plain = RunLog.__call__

    def call(self: RunLog, event: Any) -> None:
        plain(self, event)
        if type(event).__name__ == name and epoch in (None, getattr(event, "epoch", None)):
            act()

    RunLog.__call__ = call  # type: ignore[method-assign]
