"""Which experiments this process works on, so that another one takes others."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from dlrun.errors import RunDirError


class ExperimentLocks:
    """Locks by the identity of experiments, under the folder of their runs. The system frees them when the process
    ends, however it ends; the empty files stay, for removing one that another process is about to lock would give both
    the lock.
    """

    def __init__(self, outputs: Path) -> None:
        self._folder = outputs / "reproduce" / ".locks"
        self._held: dict[str, FileLock] = {}

    def take(self, key: str) -> bool:
        """Whether the experiment is this process' now. Raises RunDirError when the folder cannot be written."""
        lock = FileLock(self._folder / f"{key}.lock")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise RunDirError(f"{self._folder} cannot be written: {error.strerror}") from error
        self._held[key] = lock
        return True

    def give_back(self, *keys: str) -> None:
        """Leave these experiments to others; all of them when none is named."""
        for key in keys or list(self._held):
            if lock := self._held.pop(key, None):
                lock.release()
