"""A job: a run that a process of its own shall do, and whose state is its run directory."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.errors import RunDirError
from dlrun.run_dir import COMPLETED, FAILED, INTERRUPTED, RUNNING, RunDir


@dataclass(frozen=True)
class Job:
    """Train `config_file` into `run_dir`. The command is one a user could type.

    A failed run counts as done, since it would fail again; `again` asks to try it all the same.
    """

    config_file: Path
    run_dir: Path
    again: bool = False

    @property
    def command(self) -> list[str]:
        """`dlrun train ...`; a run directory with an unfinished run is resumed."""
        if self.status() is None:
            return ["train", str(self.config_file), "--run-dir", str(self.run_dir)]
        return ["train", "--resume", str(self.run_dir)]

    def status(self) -> str | None:
        """The run's status as its directory tells it, None before it began."""
        if not (self.run_dir / "run.json").exists():
            return None
        try:
            return RunDir(self.run_dir).status()
        except RunDirError:
            return None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do: the run is completed, or failed in a way that would repeat itself."""
        return self.status() in ((COMPLETED,) if self.again else (COMPLETED, FAILED))

    @property
    def elsewhere(self) -> bool:
        """Whether another process works on the run: one that outlived whoever started it."""
        return self.status() == RUNNING

    def process(self) -> dict[str, Any]:
        """The process that the run's record names."""
        return RunDir(self.run_dir).record().get("process") or {}

    def give_up(self) -> None:
        """Note that the process which the record names is gone, where only the caller can know: on another machine."""
        run = RunDir(self.run_dir)
        with contextlib.suppress(RunDirError):
            if run.record()["status"] == RUNNING:
                run.end(INTERRUPTED, resumable=run.epochs_begun() > 0)
