"""Removing runs and studies: what it would free, what speaks against it, who refers to them."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlrun.errors import ConfigError, Problem, UnknownNameError, listing
from dlrun.files import TRASH, discard, disk_bytes, empty_trash
from dlrun.jobs.endings import OPEN, output_of
from dlrun.jobs.entries import Entry
from dlrun.jobs.queue import Queue
from dlrun.run_dir import COMPLETED, FAILED, PRUNED, RUNNING, RunDir
from dlrun.run_index import STUDY, Listed, listed, look_at
from dlrun.studies._study_dir import StudyDir


@dataclass(frozen=True)
class Target:
    """A run or study that shall be removed, or (`parts`) some of what lies in it; `files` lie beside it.

    `links` lead to it and go with it, `notes` tell who else refers to it.
    """

    row: Listed
    path: Path
    parts: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        size = sum(disk_bytes(self.path / part) for part in self.parts) if self.parts else disk_bytes(self.path)
        object.__setattr__(self, "bytes", size + sum(map(disk_bytes, self.files)))


class Surroundings:
    """What refers to the runs in a folder: the queue, studies, and links."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs.resolve()
        self.jobs: dict[Path, Entry] = {}
        if (outputs / "queue.sqlite").exists():
            queue = Queue(outputs)
            self.jobs = {queue.job(entry).run_dir.resolve(): entry for entry in queue.entries()}
        folders = [path for path in (self.outputs, *self.outputs.glob("[!.]*")) if path.is_dir()]
        paths = [path for folder in folders for path in folder.iterdir() if path.is_symlink()]
        self._links = [(path.resolve(), path) for path in paths]

    def target(self, row: Listed, path: Path, parts: tuple[str, ...] = ()) -> Target:
        """The whole run or study, or these parts of it."""
        path = path.resolve()
        if parts:
            return Target(row, path, parts)
        output = output_of(path)
        links = tuple(link for real, link in self._links if real == path)
        return Target(row, path, (), (output,) if output.exists() else (), links, tuple(self._notes(path)))

    def _notes(self, path: Path) -> Iterable[str]:
        if job := self.jobs.get(path):
            yield f"job {job.number} of the queue ({job.state}) refers to it"
        if (path.parent / "study.json").exists():
            yield f"the study {path.parent.name} refers to it; its summary keeps the figures"
        for run in self._begun_with.get(path.name, []):
            yield f"{run} began with its weights; it can be used, but not resumed or trained again"

    @functools.cached_property
    def _begun_with(self) -> dict[str, list[str]]:
        """The runs that took their base from another one, by the id of that one."""
        found: dict[str, list[str]] = {}
        for row in listed(self.outputs):
            with contextlib.suppress(OSError):
                record = (self.outputs / row.folder / row.id / "run.json").read_bytes()
                for base in re.findall(rb'"from_run": "([^"]+)"', record):  # unread otherwise: there may be thousands
                    found.setdefault(base.decode(errors="replace"), []).append(row.id)
        return found

    def why_not(self, target: Target) -> Problem | None:
        """What speaks against a removal: something works on it, or will."""
        path, name = target.path, target.row.id
        job = self.jobs.get(path)
        if target.row.status == RUNNING:
            return Problem(f"{name} is running", hint="wait for its end, or stop it")
        if job and job.state in OPEN:
            return Problem(f"{name} is {job.state} in the queue", hint=f"first: dlrun queue cancel {job.number}")
        if target.row.kind == STUDY and any(row.status == RUNNING for row in map(look_at, path.iterdir()) if row):
            return Problem(f"a run of {name} is running", hint="wait for its end, or stop it")
        if (path.parent / "study.json").exists() and StudyDir(path.parent).status() == RUNNING:
            return Problem(f"{path.parent.name}, the study of {name}, is running", hint="wait for its end, or stop it")
        return None


def find_targets(texts: Sequence[str], outputs: Path) -> list[Target]:
    """The runs and studies meant by paths and beginnings of ids (`-`: the run that was started last), each once.

    Raises UnknownNameError, ConfigError for a name or a beginning of several ids, and with all that is in use.
    """
    there, around = listed(outputs), Surroundings(outputs)
    found: dict[Path, Target] = {}
    for text in texts:
        row, path = _find(text, there, outputs)
        found.setdefault(path.resolve(), around.target(row, path))
    problems = [problem for target in found.values() if (problem := around.why_not(target))]
    if problems:
        raise ConfigError(problems=problems)
    return list(found.values())


def _find(text: str, there: Sequence[Listed], outputs: Path) -> tuple[Listed, Path]:
    path = Path(text)
    if text != "-" and path.is_dir():
        real = path.resolve()
        row = look_at(real)
        if row and not real.name.startswith(TRASH):
            return row, real
    matching = there[-1:] if text == "-" else [row for row in there if row.id.startswith(text)]
    if len(matching) == 1:
        return matching[0], outputs / matching[0].folder / matching[0].id
    if matching:
        raise ConfigError(
            f"{text!r} is the beginning of {len(matching)} ids",
            expected=f"one of {listing(row.id for row in matching)}",
        )
    named = [row.id for row in there if row.folder == text]
    if named:
        raise ConfigError(
            f"{text} is a name, of {len(named)} runs or studies",
            expected="the path of what shall be removed, or the beginning of its id",
            hint=f"`dlrun runs {text}` lists them; several at once: dlrun runs prune {text} --help",
        )
    raise UnknownNameError(f"there is no run or study {text!r} under {outputs}/", hint="`dlrun runs` lists them")


def remove(targets: Sequence[Target], outputs: Path) -> None:
    """Remove them, one after the other. Raises RunDirError for one that another process works on, or that cannot be
    removed; those before it are gone then.
    """
    for folder in (outputs, *outputs.glob("[!.]*"), *{target.path.parent for target in targets}):
        empty_trash(folder)
    for target in targets:
        owner: Any = StudyDir(target.path).owned() if target.row.kind == STUDY else RunDir(target.path).owned(new=False)
        with owner:  # so that nobody begins to work on it meanwhile
            for path in [target.path / part for part in target.parts] or [target.path]:
                discard(path)
        for path in (*target.files, *target.links):
            discard(path)


def checkpoint_targets(rows: Iterable[Listed], outputs: Path) -> list[Target]:
    """The checkpoints of those runs that have ended; an interrupted run needs its own to go on."""
    around = Surroundings(outputs)
    ended = (row for row in rows if row.status in (COMPLETED, FAILED, PRUNED))
    targets = (around.target(row, outputs / row.folder / row.id, ("checkpoint",)) for row in ended)
    return [one for one in targets if (one.path / "checkpoint").exists() and not around.why_not(one)]


def run_targets(rows: Iterable[Listed], outputs: Path) -> list[Target]:
    """Those runs that nothing works on, or will; of links to runs elsewhere none."""
    around = Surroundings(outputs)
    paths = ((row, outputs / row.folder / row.id) for row in rows)
    targets = (around.target(row, path) for row, path in paths if not path.is_symlink())
    return [one for one in targets if not around.why_not(one)]
