"""A run on a disk that fails, and the same run resumed when there is space again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from cases import differences
from fork_server import ForkServer
from killing import Story, Whole, go_on, is_complete

from dlrun.run_dir import FAILED, INTERRUPTED, RunDir


def refuse(whole: Whole, operation: int, number: int = errno.ENOSPC, *, lasting: bool = True) -> dict[str, Any]:
    """The fault that a change of a file, and with `lasting` every one after it, is refused."""
    assert 0 <= operation < len(whole.changes)
    return {"fail": {"operation": operation, "errno": number, "lasting": lasting}}


def fail_and_resume(server: ForkServer, whole: Whole, path: Path, fault: dict[str, Any], reason: str) -> Story:
    """Train in `path` with a fault, then without it.

    A trouble is: a traceback, an exit code other than 1, a message without the `reason`, a run that says completed and
    is not. A fault that costs the run nothing but a picture or a line of its log may leave it complete, and equal.
    """
    ended = go_on(server, whole, path, fault)
    troubles = ["a traceback: " + ended.text] if "Traceback" in ended.text else []
    if ended.code == 0:
        return Story(0, differences(whole.path, path), troubles)
    troubles += [] if ended.code == 1 else [f"exit code {ended.code}: {ended.text}"]
    troubles += [] if reason in ended.text else [f"the message does not say {reason!r}: {ended.text}"]
    status = RunDir(path).status() if (path / "run.json").exists() else None
    troubles += [] if status in (FAILED, INTERRUPTED, None) else [f"the status is {status}"]
    resumed = go_on(server, whole, path, {})
    if not is_complete(path):
        return Story(1, ["it did not complete"], [*troubles, resumed.text])
    return Story(1, differences(whole.path, path), troubles)


def sizes(whole: Whole) -> list[int]:
    """Limits on the size of files, each of which lets a smaller file pass and stops a larger one."""
    found = {file.stat().st_size for file in whole.path.rglob("*") if file.is_file()} - {0, 1}
    return sorted(size - 1 for size in found)


def no_space() -> str:
    """What the system says on a full disk."""
    return os.strerror(errno.ENOSPC)
