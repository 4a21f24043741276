"""What a stated result is measured on: a run, its retrained run or a k-fold study, and the next command towards it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dlrun.config.identity import identity
from dlrun.config.scale import BOOK
from dlrun.config.schema import Config
from dlrun.errors import RunDirError
from dlrun.run_dir import COMPLETED, RUNNING, RunDir, read_json
from dlrun.studies._archive import Archive
from dlrun.studies._study_dir import StudyDir


@dataclass(frozen=True)
class Subject:
    """An experiment with one seed. `name`, `overrides` and `scale` are what a user types, `after` which run."""

    name: str
    overrides: tuple[str, ...]
    config: Config = field(compare=False, repr=False)
    after: str = "train"
    scale: str = BOOK

    @property
    def folded(self) -> bool:
        """Whether it is a study of `dlrun kfold`, not a run."""
        return self.config.kfold is not None

    @property
    def key(self) -> str:
        """Equal for subjects that begin with the same run or study, whatever they are called."""
        return identity(self.config, study=self.folded)

    @property
    def command(self) -> list[str]:
        """What a user types for it, without the place of the run."""
        settings = [part for override in self.overrides for part in ("-s", override)]
        scale = ["--scale", self.scale] if self.scale != BOOK else []
        return ["kfold" if self.folded else "train", self.name, *scale, *settings]


@dataclass(frozen=True)
class Child:
    """A command for a process of its own. `run_dir` names its output; `makes` is the run or study that it completes."""

    command: list[str]
    run_dir: Path
    makes: Path | None = None

    def status(self) -> str | None:
        """The status of what it makes, None before that began."""
        try:
            if self.makes and (self.makes / "study.json").exists():
                return StudyDir(self.makes).status()
            return RunDir(self.makes).status() if self.makes and (self.makes / "run.json").exists() else None
        except RunDirError:
            return None

    @property
    def done(self) -> bool:
        return self.status() == COMPLETED

    @property
    def elsewhere(self) -> bool:
        return self.status() == RUNNING


def next_child(subject: Subject, archive: Archive, *, test: bool) -> Child | None:
    """The next command that brings a subject nearer to completion; None when nothing is left to do."""
    if subject.folded:
        return _next_of_study(subject, archive, test=test)
    run = archive.run(subject.config)
    if run is None or run.status() != COMPLETED:
        return _train(subject.command, run, archive, subject.config.name)
    if subject.after == "retrain":
        config, parent = archive.retrain_config(run), run
        run = archive.run(config)
        if run is None or run.status() != COMPLETED:
            return _train(["retrain", str(parent.path)], run, archive, config.name)
    if test and reading(run) is None:
        return Child(["evaluate", str(run.path), "--quiet"], run.path)
    return None


def completed(subject: Subject, archive: Archive) -> RunDir | StudyDir | None:
    """The run or study in which a subject is measured, None before it is completed."""
    found: RunDir | StudyDir | None
    if subject.folded:
        found = archive.study(subject.config)
    else:
        found = archive.run(subject.config)
        if subject.after == "retrain" and found is not None and found.status() == COMPLETED:
            found = archive.run(archive.retrain_config(found))
    return found if found is not None and found.status() == COMPLETED else None


def _train(command: list[str], begun: RunDir | None, archive: Archive, name: str) -> Child:
    if begun is not None:
        return Child(["train", "--resume", str(begun.path), "--quiet"], begun.path, begun.path)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    path = archive.outputs.absolute() / name / f"{stamp}-{secrets.token_hex(3)}"
    return Child([*command, "--run-dir", str(path), "--quiet"], path, path)


def _next_of_study(subject: Subject, archive: Archive, *, test: bool) -> Child | None:
    study = archive.study(subject.config)
    output = archive.outputs.absolute() / "reproduce" / subject.config.name
    if study is None:
        final = ["--final"] if test else []
        command = [*subject.command, *final, "--outputs", str(archive.outputs.absolute()), "--quiet"]
        return Child(command, output)
    again = ["kfold", "--resume", str(study.path), *(["--final"] if test else []), "--quiet"]
    if study.status() != COMPLETED:
        return Child(again, output, study.path)
    return Child(again, output) if test and not study.summary().get("final") else None


def reading(run: RunDir) -> dict[str, Any] | None:
    """The latest reading of test by `dlrun evaluate`, None before one was made. Raises RunDirError."""
    made = sorted(run.evaluations.glob("[0-9][0-9][0-9]-test-best.json"))
    return read_json(made[-1]) if made else None
