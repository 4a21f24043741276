"""What git says about the code behind a run: commit, branch, and what differs from the commit."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_PATCH_BYTES = 5 * 2**20
MOST_UNTRACKED = 50
_SECONDS = 10  # after which git is given up
# Nothing a repository's own settings name is run or changes the format, and no lock is taken that others would meet.
_GIT = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]
_DIFF = ["diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"]
_DIFF += ["--src-prefix=a/", "--dst-prefix=b/"]


@dataclass(frozen=True)
class GitState:
    """A repository at a moment: `facts` are JSON values; `patch`, applied to the commit, gives what was there."""

    facts: dict[str, Any]
    patch: bytes = b""


def repository_root(folder: Path) -> Path | None:
    """The top folder of the repository around a folder; None outside one, or when git does not answer."""
    try:
        answer = _git(folder, "rev-parse", "--show-toplevel")
    except (OSError, subprocess.SubprocessError):
        return None
    text = _text(answer)
    return Path(text) if text else None


def git_state(root: Path) -> GitState | None:
    """The repository with this top folder; None before its first commit, or when git does not answer.

    Untracked files are named only. A patch of more than 5 MiB is cut off, which the facts say.
    """
    try:
        commit = _text(_git(root, "rev-parse", "--verify", "HEAD"))
        status = _git(root, "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames")
        if not commit or status is None:
            return None
        entries = [entry for entry in _text(status).split("\0") if entry]
        untracked = [entry[3:] for entry in entries if entry.startswith("??")]
        branch = _text(_git(root, "symbolic-ref", "--quiet", "--short", "HEAD")) or None
        facts: dict[str, Any] = {"root": str(root), "commit": commit, "branch": branch}
        facts |= {"dirty": len(untracked) < len(entries)}
        facts |= {"untracked": untracked[:MOST_UNTRACKED], "untracked_count": len(untracked)} if untracked else {}
        if not facts["dirty"]:
            return GitState(facts)
        patch, cut_off = _bounded(root, *_DIFF)
    except (OSError, subprocess.SubprocessError):
        return None
    about = {"bytes": len(patch), "cut_off": cut_off, "sha256": hashlib.sha256(patch).hexdigest()}
    return GitState({**facts, "patch": about}, patch)


def _text(answer: bytes | None) -> str:
    return (answer or b"").decode("utf-8", errors="replace").strip("\n")


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What a git command prints; None when it fails."""
    command = [*_GIT, "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False)
    return done.stdout if done.returncode == 0 else None


def _bounded(folder: Path, *arguments: str) -> tuple[bytes, bool]:
    """The first 5 MiB of what a git command prints, and whether that is not all of it."""
    command = [*_GIT, "-C", str(folder), *arguments]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=nothing, stderr=nothing) as process:
        timer = threading.Timer(_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        found = process.stdout.read(MOST_PATCH_BYTES + 1)
        if len(found) > MOST_PATCH_BYTES:
            process.kill()
    timer.cancel()
    return found[:MOST_PATCH_BYTES], process.returncode != 0
