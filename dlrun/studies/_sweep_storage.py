"""Where a sweep keeps its trials, for several processes at once: a journal beside the runs, or what Optuna can open."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from dlrun.files import write_bytes

JOURNAL = "optuna.journal"
_PATIENCE_SECONDS = 60  # for another process' transaction


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """The storage of this URL, or the journal in the study's folder."""
    if url is None:
        path = folder / JOURNAL
        with FileLock(_lock_of(path)):
            _repair(path)
        return JournalStorage(JournalFileBackend(str(path), _JournalLock(path)))
    if url.startswith("sqlite"):
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _PATIENCE_SECONDS}})
    return get_storage(url)


class Worker:
    """A process that works on a sweep: a file in the study's folder, locked as long as it lives, on any machine."""

    def __init__(self, folder: Path) -> None:
        self.name = f".worker-{secrets.token_hex(4)}"
        self._folder, self._lock = folder, FileLock(folder / self.name)

    def begin(self) -> None:
        """Show that this process lives."""
        if not self._lock.is_locked:
            self._lock.acquire()

    def end(self) -> None:
        """Give up whatever it works on."""
        self._lock.release()
        (self._folder / self.name).unlink(missing_ok=True)

    def lives(self, name: str) -> bool:
        """Whether another one lives; what a dead one has left is removed."""
        path = self._folder / name
        if not path.exists():
            return False
        try:
            FileLock(path).acquire(timeout=0).lock.release()
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        return False


class _JournalLock(JournalFileOpenLock):
    """A lock that the system frees when its process dies; for Optuna's own, others would wait 30 s.

    Whoever gets it takes away the beginning of an entry that a killed process may have left.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal, self._lock = journal, FileLock(_lock_of(journal))

    def acquire(self) -> bool:
        self._lock.acquire()
        with self._journal.open("rb+") as stream:
            if stream.seek(0, os.SEEK_END) and (stream.seek(-1, os.SEEK_END), stream.read(1))[1] != b"\n":
                stream.seek(0)
                stream.truncate(stream.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self._lock.release()


def _lock_of(journal: Path) -> Path:
    return journal.with_name(f".{journal.name}.lock")


def _repair(path: Path) -> None:
    """Take away what a dead process left of its last entry."""
    text = path.read_bytes() if path.exists() else b""
    whole = text[: text.rfind(b"\n") + 1]
    lines = whole.splitlines(keepends=True)
    if lines and not _is_json(lines[-1]):
        whole = b"".join(lines[:-1])
    if whole != text:
        write_bytes(path, whole)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
