"""Stated against measured: one row for each stated result."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from dlrun.config.expected import BASELINE, TEST
from dlrun.expectations import History, bound, is_met, measure, stated_text
from dlrun.run_dir import RunDir
from dlrun.studies._archive import Archive
from dlrun.studies._claims import Claim
from dlrun.studies._study_dir import StudyDir
from dlrun.studies._subjects import Subject, completed, reading

PASS, FAIL, FAILED, NOT_JUDGED = "pass", "fail", "failed", "not judged"
NOT_RUN, NOT_MEASURED, DATA_MISSING = "not run", "not measured", "data missing"
BAD = (FAIL, FAILED, NOT_MEASURED)  # what makes the exit code 1


@dataclass(frozen=True)
class Row:
    """A line of the table. `measured` and `level` (what an order compares with) are means over the runs; `spread` is
    their standard deviation; `seconds` that the runs took.
    """

    config: str
    stated: str
    source: str
    verdict: str
    measured: float | None = None
    spread: float | None = None
    level: float | None = None
    deviation: float | None = None
    note: str = ""
    seconds: float | None = None
    seeds: int = 1
    commands: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Result:
    """What a completed run or study says: the content of `metrics.json`, its history, scores of test, seconds."""

    path: Path
    metrics: Mapping[str, Any]
    history: History
    test: Mapping[str, float]
    seconds: float

    def of(self, claim: Claim) -> float | None:
        """The value that a claim is about, None when it was not measured."""
        name = claim.expect.metric
        if claim.reads_test:
            return self.test.get(name.replace(TEST, "", 1))
        return measure(claim.expect, self.metrics, self.history)

    def level_of(self, claim: Claim) -> float | None:
        """What an order within this run compares with: a number, or its own baseline."""
        expect = claim.expect
        if claim.reads_test and "baseline" in (expect.below, expect.above):
            return self.test.get(BASELINE + expect.metric.replace(TEST, "", 1))
        return bound(expect, self.metrics)


def result_of(subject: Subject, archive: Archive) -> Result | None:
    """The result of a subject, None before it is completed. Raises RunDirError."""
    found = completed(subject, archive)
    if found is None:
        return None
    return _of_study(found) if isinstance(found, StudyDir) else _of_run(found)


def _of_run(run: RunDir) -> Result:
    made = reading(run) or {}
    test: dict[str, float] = dict(made.get("total") or {})
    for name, output in (made.get("outputs") or {"": made}).items():
        prefix = f"{name}_" if name else ""
        test |= {f"{prefix}{key}": value for key, value in (output.get("values") or {}).items()}
        test |= {f"{BASELINE}{prefix}{key}": value for key, value in (output.get("baselines") or {}).items()}
    return Result(run.path, run.metrics(), run.history(), test, float(run.record().get("seconds") or 0))


def _of_study(study: StudyDir) -> Result:
    summary = study.summary()
    best, original = summary["best"], summary.get("best_original") or {}
    fold = study.run(summary["folds"][0]["run"]).metrics()
    metrics = {
        "best": {name: spread["mean"] for name, spread in best.items()},
        "best_original": {name: spread["mean"] for name, spread in original.items()},
        "baselines": summary.get("baselines") or {},
        "recommended_epochs": summary["recommended_epochs"],
        "parameters": fold.get("parameters"),
    }
    with study.curve_file.open(encoding="utf-8", newline="") as stream:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(stream)]
    test = (summary.get("final") or {}).get("metrics") or {}
    seconds = sum(fold.get("seconds") or 0 for fold in summary["folds"])
    return Result(study.path, metrics, rows, test, seconds)


def row_of(claim: Claim, results: Mapping[Subject, Result | None], failures: Mapping[Subject, str]) -> Row:
    """The row of a claim with what is known now; `failures` says of subjects why they cannot be completed."""
    own, others = [results.get(one) for one in claim.own], [results.get(one) for one in claim.others]
    verdict, note = _state(claim, [*own, *others], failures)
    if verdict:
        return _row(claim, verdict, note, [one for one in own if one])
    present = [one for one in own if one]
    values = [one.of(claim) for one in present]
    levels = [one.of(claim) for one in others if one] or [one.level_of(claim) for one in present]
    measured, level = _mean(values), _mean(levels)
    met = is_met(claim.expect, measured, level)
    if met is None:
        why = "the run has no such metric or epoch" if measured is None else "nothing to compare with"
        return _row(claim, NOT_JUDGED if claim.shortened else NOT_MEASURED, why, present)
    verdict = (PASS if met else FAIL) if claim.judged else NOT_JUDGED
    return _row(claim, verdict, _note(claim), present, values, level)


def _state(claim: Claim, found: Sequence[Result | None], failures: Mapping[Subject, str]) -> tuple[str, str]:
    """The verdict on a claim that cannot be measured now, and why; empty for one that can."""
    if claim.missing:
        return DATA_MISSING, ", ".join(claim.missing)
    open_ones = [result is None or (claim.reads_test and not result.test) for result in found]
    left = [subject for subject, is_open in zip(claim.subjects, open_ones, strict=True) if is_open]
    why = [failures[subject] for subject in left if subject in failures]
    if why:
        return FAILED, why[0]
    if left:
        return NOT_RUN, f"{len(left)} of {len(found)} runs to do" if len(found) > 1 else ""
    return "", ""


def _row(
    claim: Claim,
    verdict: str,
    note: str,
    present: Sequence[Result],
    values: Sequence[float | None] = (),
    level: float | None = None,
) -> Row:
    measured = _mean(values)
    target = claim.expect.value if claim.expect.value is not None else level
    known = [value for value in values if value is not None]
    return Row(
        config=claim.name,
        stated=stated_text(claim.expect),
        source=claim.expect.source,
        verdict=verdict,
        measured=measured,
        spread=stdev(known) if len(known) > 1 else None,
        level=level if claim.expect.is_order else None,
        deviation=None if measured is None or target is None else measured - target,
        note=note,
        seconds=round(sum(one.seconds for one in present), 1) if present else None,
        seeds=len(claim.own),
        commands=tuple(" ".join(["dlrun", *subject.command]) for subject in claim.own),
        runs=tuple(str(one.path) for one in present),
    )


def _note(claim: Claim) -> str:
    if claim.shortened:
        small = claim.own[0].config.small or claim.others[0].config.small
        return "small scale: " + ", ".join(f"{key} {value}" for key, value in small.items())
    return "" if claim.judged else f"{len(claim.own)} seeds are too few for an order"


def _mean(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if not known or None in known else fmean(value for value in known if value is not None)
