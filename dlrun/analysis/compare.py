"""Runs side by side: what they were asked differently, how they went, and whether they may be ranked."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.analysis._differences import MISSING, OPEN, differing, left_open
from dlrun.analysis._entries import DAMAGED, Entry, chosen_runs, read_entry
from dlrun.analysis._paired import Paired, paired
from dlrun.analysis._ranking import notes_on, why_unranked
from dlrun.errors import ConfigError, RunDirError

_PATHS = ("dir", "path", "test_path")  # of the data; where the same data lies does not matter


@dataclass
class Group:
    """Runs of one configuration, which differ in nothing but the seed. `rank` is set when groups are ranked, then also
    `against_best` where this and the first one were run with the same seeds.
    """

    entries: list[Entry]
    rank: int | None = None
    against_best: Paired | None = None

    @property
    def comparable(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.comparable]

    def values(self, metric: str) -> list[float]:
        """The metric at the best epoch of each completed run."""
        found = [entry.best.get(metric) for entry in self.comparable]
        return [value for value in found if value is not None]

    def mean(self, metric: str) -> float | None:
        return statistics.fmean(values) if (values := self.values(metric)) else None

    def spread(self, metric: str) -> float | None:
        """Sample standard deviation over the runs; None for fewer than two."""
        return statistics.stdev(values) if len(values := self.values(metric)) > 1 else None


@dataclass
class Comparison:
    """Runs, those that belong together, the parameters that differ, and why they are not ranked, if they are not.

    `parameters` are values by dotted key, one for each readable run in the order of `entries`. `notes` tell what else
    to know. Damaged runs stand at the end of `entries`.
    """

    entries: list[Entry]
    groups: list[Group]
    parameters: dict[str, list[Any]]
    reasons: list[str]
    notes: list[str]

    @property
    def ranked(self) -> bool:
        return not self.reasons

    @property
    def repeated(self) -> bool:
        """Whether some configuration was run more than once."""
        return any(len(group.entries) > 1 for group in self.groups)

    def parameters_of(self, entry: Entry) -> dict[str, Any]:
        """Those of one run, without the ones it does not have."""
        if entry.status == DAMAGED:
            return {}
        own = {key: values[entry.number - 1] for key, values in self.parameters.items()}
        return {key: value for key, value in own.items() if value is not MISSING and value is not OPEN}


def compare(texts: Sequence[str], outputs: Path, *, every: bool = False) -> Comparison:
    """Compare runs; `every` takes all runs of a name, or in a folder.

    Raises ConfigError when fewer than two are meant, RunDirError when fewer than two can be read.
    """
    runs = chosen_runs(texts, outputs, every=every)
    if len(runs) < 2:
        hint = None if every else f"for all runs of a name: dlrun compare --all {texts[0] if texts else 'digits'}"
        raise ConfigError("compare wants two runs or more", received=" ".join(texts) or "none", hint=hint)
    entries = [read_entry(run) for run in runs]
    readable = [entry for entry in entries if entry.status != DAMAGED]
    damaged = [entry for entry in entries if entry.status == DAMAGED]
    if len(readable) < 2:
        problems = "\n".join(f"{entry.run.id}: {entry.problem}" for entry in damaged)
        raise RunDirError(f"of {len(runs)} runs {len(readable)} can be read; compare wants two", received=problems)
    _forget_places(readable)
    groups = _grouped(readable)
    _number([entry for group in groups for entry in group.entries])
    reasons = why_unranked(_comparable(groups))
    if not reasons:
        _rank(groups)
    ordered = [entry for group in groups for entry in group.entries]
    _number([*ordered, *damaged])
    parameters = differing([entry.config if entry.epochs else left_open(entry.config) for entry in ordered])
    return Comparison([*ordered, *damaged], groups, parameters, reasons, notes_on(_comparable(groups)))


def metrics_of(entries: Sequence[Entry]) -> list[str]:
    """The metrics to show: those that runs are judged by, then the others of validation, if there was one."""
    judged = dict.fromkeys(entry.monitor for entry in entries if entry.monitor)
    others = (name for entry in entries for name in entry.best if name.startswith("val_") == entry.validated)
    return [name for name in dict.fromkeys([*judged, *others]) if name != "learning_rate"]


def _comparable(groups: Sequence[Group]) -> list[list[Entry]]:
    return [group.comparable for group in groups if group.comparable]


def _number(entries: Sequence[Entry]) -> None:
    for number, entry in enumerate(entries, 1):
        entry.number = number


def _forget_places(entries: Sequence[Entry]) -> None:
    """Drop the paths of the data where all runs have the same data."""
    if len({entry.data.get("content") for entry in entries}) == 1:
        for entry in entries:
            if isinstance(entry.config["data"], dict):
                entry.config["data"] = {k: v for k, v in entry.config["data"].items() if k not in _PATHS}


def _grouped(entries: Sequence[Entry]) -> list[Group]:
    """Runs of equal configs and data; the seed aside."""
    groups: dict[str, Group] = {}
    for entry in entries:
        config = {name: value for name, value in entry.config.items() if name != "seed"}
        key = json.dumps([config, entry.data.get("content")], sort_keys=True)
        groups.setdefault(key, Group([])).entries.append(entry)
    return list(groups.values())


def _rank(groups: list[Group]) -> None:
    """Bring the groups into order: the best first, equal ones with the same rank, those not completed at the end."""
    metric, mode = next((one.monitor, one.mode) for group in groups for one in group.comparable)
    sign = -1 if mode == "max" else 1
    levels = {id(group): sign * mean for group in groups if (mean := group.mean(str(metric))) is not None}
    groups.sort(key=lambda group: levels.get(id(group), float("inf")))
    for group in groups:
        if id(group) in levels:
            group.rank = 1 + sum(level < levels[id(group)] for level in levels.values())
    for group in groups[1:]:
        group.against_best = paired(group.comparable, groups[0].comparable, str(metric))
