"""Which process is which: a number alone does not tell, since the system gives it again."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any


def _start_of(pid: int) -> int | None:
    """Start of a process in clock ticks (field 22 of /proc/PID/stat, proc(5)); None where unknown, or if it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def this_process() -> dict[str, Any]:
    """What tells this process from all others, for `alive`."""
    return process_of(os.getpid())


def process_of(pid: int) -> dict[str, Any]:
    """What tells a process of this machine from all others, for `alive`."""
    return {"pid": pid, "host": socket.gethostname(), "start": _start_of(pid)}


def alive(process: dict[str, Any]) -> bool:
    """Whether a process that owns a run or study still runs; true when it belongs to another machine."""
    if process.get("host") != socket.gethostname():
        return True
    try:
        os.kill(int(process["pid"]), 0)
    except (ProcessLookupError, KeyError, TypeError, ValueError):
        return False
    except PermissionError:
        pass
    return _start_of(int(process["pid"])) == process.get("start")
