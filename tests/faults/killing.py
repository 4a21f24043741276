"""A run that is killed again and again and resumed until it completes."""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cases import differences, write_config
from fork_server import Ended, ForkServer

from dlrun.run_dir import COMPLETED, INTERRUPTED, RunDir

KILLED = -signal.SIGKILL
Kill = dict[str, Any] | float  # a fault of `injected`, or seconds after the start


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run: what the others must equal, and how much of it there is to be killed in."""

    config: Path
    path: Path
    epochs: int
    seconds: float
    changes: list[str]

    def change(self, text: str) -> int:
        """The number of the last change with this text in it, such as `rename .last.tmp.keras`."""
        return max(number for number, change in enumerate(self.changes) if text in change)


@dataclass(frozen=True)
class Story:
    """What happened to a run: `differences` from the uninterrupted one at its end, and `troubles` on the way."""

    kills: int
    differences: list[str]
    troubles: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not self.differences and not self.troubles


def train_whole(server: ForkServer, folder: Path, net: str, mode: str, **training: Any) -> Whole:
    """Train a case without interruption."""
    config = write_config(folder, net, mode, **training)
    path = folder / "whole"
    ended = server.run("train", config, "--run-dir", path, cwd=folder, fault={"count": str(path)})
    assert ended.code == 0, ended.text
    run = RunDir(path)
    rates = {row["learning_rate"] for row in run.history()}
    assert len(rates) > 1, f"in {config.stem} ReduceLROnPlateau never acts, so its state is not tested"
    return Whole(config, path, len(run.history()), run.record()["seconds"], ended.changes)


def draw_kills(whole: Whole, number: int, first: Kill | None = None) -> list[Kill]:
    """One to three moments, always the same for a number: seconds, changes of files and ends of epochs."""
    draw = random.Random(number)

    def kill() -> Kill:
        return draw.choice(
            [
                draw.uniform(0, whole.seconds),
                {"kill": {"operation": draw.randrange(len(whole.changes))}},
                {"kill": {"epoch": draw.randint(1, whole.epochs)}},
            ]
        )

    drawn = [kill() for _ in range(draw.randint(1, 3))]
    return [first, *drawn[1:]] if first is not None else drawn


def kill_and_resume(server: ForkServer, whole: Whole, path: Path, kills: Sequence[Kill]) -> Story:
    """Train in `path`, killed at each moment in turn, then undisturbed; a run that did not begin is started anew."""
    done, troubles = 0, []
    for kill in kills:
        ended = go_on(server, whole, path, kill)
        if ended.code != 0:
            done += 1
            troubles += _after_a_kill(server, ended, path)
        if is_complete(path):  # the moment never came, or came after the mark of success
            break
    else:
        ended = go_on(server, whole, path, {})
    if not is_complete(path):
        return Story(done, ["it did not complete"], [*troubles, ended.text])
    left = [str(file.relative_to(path)) for file in path.rglob("*.tmp*")]
    return Story(done, differences(whole.path, path), troubles + [f"{name} was left behind" for name in left])


def go_on(server: ForkServer, whole: Whole, path: Path, fault: Kill, *, seen_from: Path | None = None) -> Ended:
    """Start the run, or resume it when it had begun, with a fault; seconds are a kill after that time.

    `seen_from` is where this process sees the folder around `path`, when the server sees other disks.
    """
    began = ((seen_from or path.parent) / path.name / "run.json").exists()
    argv = ["train", "--resume", path] if began else ["train", whole.config, "--run-dir", path]
    if isinstance(fault, float):
        return server.run_for(fault, *argv, cwd=whole.config.parent)
    armed = {name: {**how, "under": str(path)} if isinstance(how, dict) else how for name, how in fault.items()}
    return server.run(*argv, cwd=whole.config.parent, fault=armed)


def is_complete(path: Path) -> bool:
    """Whether the run in `path` carries the mark of success."""
    return (path / "run.json").exists() and RunDir(path).status() == COMPLETED


def _after_a_kill(server: ForkServer, ended: Ended, path: Path) -> list[str]:
    """What is wrong with a run that was just killed: it must be interrupted, and verbs that look at it must work."""
    troubles = [] if ended.code == KILLED else [f"exit code {ended.code} instead of a kill: {ended.text}"]
    if not (path / "run.json").exists():
        return troubles
    status = RunDir(path).status()
    if status != INTERRUPTED and not is_complete(path):
        troubles.append(f"the status of a killed run is {status}")
    for argv in (["show", path], ["runs", "--outputs", path.parent.parent]):
        shown = server.run(*argv, cwd=path)
        if shown.code != 0 or (argv[0] == "show" and status not in shown.text):
            troubles.append(f"dlrun {argv[0]}: {shown.text}")
    return troubles
