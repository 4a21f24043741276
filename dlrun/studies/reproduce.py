"""Stated results against measured ones: run what is missing, the cheapest first, and keep the table current."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlrun.engine.signals import interrupted_by_signals
from dlrun.errors import Interrupted, RunDirError
from dlrun.jobs.local import JobResult, run_jobs
from dlrun.machine import nvidia_gpus
from dlrun.studies._archive import Archive
from dlrun.studies._claims import Claim, needs
from dlrun.studies._costs import EVALUATE_SECONDS, Cost, expected_cost
from dlrun.studies._experiment_locks import ExperimentLocks
from dlrun.studies._stated_rows import Result, Row, result_of, row_of
from dlrun.studies._subjects import Child, Subject, completed, next_child

_WAIT_SECONDS = 2.0  # between two looks at what another process does
_WARM_WAVE = 8  # commands for each slot before the plan is made anew


@dataclass(frozen=True)
class Work:
    """What a claim still needs, cheapest claim first; `cost` is what is left to do of the subject."""

    subject: Subject
    reads_test: bool
    cost: Cost


@dataclass
class Progress:
    """The state of `run`: what failed, what was measured, and the seconds since it began."""

    archive: Archive
    locks: ExperimentLocks
    began: float = field(default_factory=time.perf_counter)
    failures: dict[Subject, str] = field(default_factory=dict)
    results: dict[Subject, Result] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def rows(self, claims: Sequence[Claim]) -> list[Row]:
        """The table as it stands, in the order of the claims."""
        for subject, reads_test in needs(claims).items():
            known = self.results.get(subject)
            if known is None or (reads_test and not known.test):
                self._look(subject)
        return [row_of(claim, self.results, self.failures) for claim in claims]

    def _look(self, subject: Subject) -> None:
        try:
            found = result_of(subject, self.archive)
        except RunDirError as error:
            self.failures[subject] = str(error.problems[0].message)
            return
        if found is not None:
            self.results[subject] = found


def plan(claims: Sequence[Claim], archive: Archive) -> list[Work]:
    """What is left to do, cheapest claim first; nothing for a claim whose data is missing."""
    possible = [claim for claim in claims if not claim.missing]
    left = {subject: _left(subject, test, archive) for subject, test in needs(possible).items()}
    ordered = sorted(possible, key=lambda claim: sum(_seconds(left[one]) for one in dict.fromkeys(claim.subjects)))
    tests = needs(ordered)
    work = {one: left[one] for claim in ordered for one in claim.subjects}
    return [Work(subject, tests[subject], cost) for subject, cost in work.items() if cost is not None]


def _left(subject: Subject, test: bool, archive: Archive) -> Cost | None:
    """What a subject still costs, None when it is done, or cannot go on."""
    if _following(subject, test, archive) is None:
        return None
    if completed(subject, archive) is not None:  # only test is to be read
        return Cost(EVALUATE_SECONDS, False)
    return expected_cost(subject, archive)


def _following(subject: Subject, test: bool, archive: Archive) -> Child | None:
    """The next command for a subject; None also for one that is damaged, or has no best epoch to retrain for."""
    try:
        return next_child(subject, archive, test=test)
    except RunDirError:
        return None


def _seconds(cost: Cost | None) -> float:
    return cost.seconds if cost else 0.0


@dataclass(frozen=True)
class Limits:
    """At most `slots` processes at once; nothing is begun that would not end within `budget_seconds`. `warm`: several
    are started from one process that has imported TensorFlow.
    """

    slots: int = 1
    budget_seconds: float | None = None
    warm: bool = False


OnRows = Callable[[list[Row]], None]
OnEnd = Callable[[Child, str], None]


def run(claims: Sequence[Claim], archive: Archive, limits: Limits, *, on_rows: OnRows, on_end: OnEnd) -> list[Row]:
    """Do what is missing and return the rows; `on_rows` gets them after each step, so that nothing measured is lost.

    Every step is a command that a user could type, in a process of its own; its result is found again by what it is.
    A failed step does not stop the others; `on_end` gets each with the reason it failed, empty when it did not.
    Raises Interrupted.
    """
    progress = Progress(archive, ExperimentLocks(archive.outputs))
    on_rows(progress.rows(claims))

    def ended(work: Work, child: Child, end: JobResult) -> None:
        archive.refresh()
        following = _following(work.subject, work.reads_test, archive)
        failure = why(child, end) if end.exit_code else ""
        if not failure and following and following.command[0] == child.command[0]:
            failure = f"`dlrun {child.command[0]}` ended, and its result is not there"
        if failure:
            progress.failures[work.subject] = failure
        progress.locks.give_back(work.subject.key)
        on_end(child, failure)
        on_rows(progress.rows(claims))

    try:
        with interrupted_by_signals():
            while (wave := _next_wave(plan(claims, archive), progress, limits)) is not None:
                _run_wave(wave, limits, ended)
                if not wave:  # another process is at all that is left
                    time.sleep(_WAIT_SECONDS)
                    archive.refresh()
    except KeyboardInterrupt as error:
        raise Interrupted(
            "stopped; what was measured is in the table", resumable=True, hint="the same command goes on"
        ) from error
    finally:
        progress.locks.give_back()
    return progress.rows(claims)


def _next_wave(work: Sequence[Work], progress: Progress, limits: Limits) -> dict[Path, tuple[Work, Child]] | None:
    """The next commands that fit into the budget, by the directory of each; one for equal experiments.

    Each is locked for this process. Empty when others work on all that is left, None when nothing is.
    """
    most = (_WARM_WAVE if limits.warm else 1) * limits.slots
    left = math.inf if limits.budget_seconds is None else limits.budget_seconds - progress.seconds
    taken: dict[str, Work] = {}
    elsewhere: set[str] = set()
    for one in work:
        key = one.subject.key
        if len(taken) == most or one.subject in progress.failures or key in taken or key in elsewhere:
            continue
        if one.cost.seconds > left:
            continue
        if progress.locks.take(key):
            taken[key] = one
            left -= one.cost.seconds / limits.slots
        else:
            elsewhere.add(key)
    wave: dict[Path, tuple[Work, Child]] = {}
    if taken:
        progress.archive.refresh()  # another process may have ended one just now
    for key, one in taken.items():
        child = _following(one.subject, one.reads_test, progress.archive)
        if child and child.run_dir not in wave:
            wave[child.run_dir] = one, child
        else:
            progress.locks.give_back(key)
    return wave if taken or elsewhere else None


def _run_wave(
    wave: dict[Path, tuple[Work, Child]], limits: Limits, ended: Callable[[Work, Child, JobResult], None]
) -> None:
    run_jobs(
        [child for _, child in wave.values()],
        limits.slots,
        warm=limits.warm,
        on_end=lambda end: ended(*wave[end.job.run_dir], end),
    )


def can_be_warm(claims: Sequence[Claim]) -> bool:
    """Whether processes may be children of one that has imported TensorFlow: on a CPU only."""
    backends = {subject.config.runtime.backend for subject in needs(claims)}
    return backends == {"tensorflow"} and not nvidia_gpus()


def why(child: Child, end: JobResult) -> str:
    """What the process said last that was an error, else how it ended."""
    output = child.run_dir.with_name(f"{child.run_dir.name}.out")
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines() if output.exists() else []
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else f"the process ended with code {end.exit_code}"
