"""Why runs may not be ranked, and what else to know of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from dlrun.analysis._entries import Entry
from dlrun.analysis.reasons import resumed_inexactly


def why_unranked(groups: Sequence[Sequence[Entry]]) -> list[str]:
    """The reasons why groups of completed runs may not be ranked by their metric; empty when they may.

    All must be judged by the same metric on the same data. Each group must have seen the same splits: one split in all
    runs, or, where the split goes by the seed, the same seeds.
    """
    entries = [entry for group in groups for entry in group]
    if len(entries) < 2:
        return [f"only {runs_text(entries)} is completed" if entries else "no run is completed"]
    reasons = []
    if nameless := [entry for entry in entries if not entry.data.get("content") or not entry.data.get("split")]:
        reasons.append(f"which data it was trained on is not recorded: {runs_text(nameless)}")
    reasons += _unequal("the data differs", entries, _data)
    if len({frozenset(str(entry.data.get("split")) for entry in group) for group in groups}) > 1:
        reasons += _unequal("the split differs", entries, lambda entry: str(entry.data.get("split"))[:8])
    reasons += _unequal("the metric differs", entries, lambda entry: f"{entry.monitor} ({entry.mode})")
    if not reasons and len(groups) == 1:
        reasons.append("the completed runs are one configuration: they differ in nothing but the seed")
    return reasons


def notes_on(groups: Sequence[Sequence[Entry]]) -> list[str]:
    """What a reader of the figures should know: unequal budgets, code, versions, machines; repeated seeds."""
    entries = [entry for group in groups for entry in group]
    notes = []
    if stand_ins := [entry for entry in entries if entry.data.get("sample")]:
        notes.append(f"generated stand-in data (--sample), the figures mean nothing: {runs_text(stand_ins)}")
    if inexact := [entry for entry in entries if resumed_inexactly(entry.record)]:
        notes.append(f"resumed, but not exactly: {runs_text(inexact)}")
    notes += _unequal("unequal budgets", entries, _budget)
    notes += _unequal("the code differs", entries, _code)
    notes += _unequal("the versions differ", entries, _versions(entries))
    notes += _unequal("the device differs", entries, lambda entry: str(entry.record.get("device")))
    if any(len({entry.data.get("split") for entry in group}) > 1 for group in groups):
        notes.append("the split goes by the seed, so the spread is that of the split, too")
    for group in groups:
        seeds = [entry.seed for entry in group]
        if repeats := [entry for entry in group if seeds.count(entry.seed) > 1]:
            notes.append(f"the same seed more than once, which makes the spread too small: {runs_text(repeats)}")
    return notes


def runs_text(entries: Sequence[Entry]) -> str:
    """`run 2`, or `runs 1-3, 5`."""
    numbers = sorted(entry.number for entry in entries)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    text = ", ".join(f"{span[0]}-{span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in spans)
    return f"run{'s' if len(numbers) > 1 else ''} {text}"


def _unequal(what: str, entries: Sequence[Entry], value: Callable[[Entry], Hashable]) -> list[str]:
    """One line that tells which run has which value; nothing when all have the same."""
    found: dict[Hashable, list[Entry]] = {}
    for entry in entries:
        found.setdefault(value(entry), []).append(entry)
    if len(found) < 2:
        return []
    return [f"{what}: " + "; ".join(f"{text} in {runs_text(those)}" for text, those in found.items())]


def _data(entry: Entry) -> str:
    return str(entry.data.get("content"))[:8] + (", generated stand-in" if entry.data.get("sample") else "")


def _budget(entry: Entry) -> str:
    training, rows = entry.config["training"], _mapping(entry.data.get("rows")).get("training")
    epochs, batch_size = training.get("epochs"), training.get("batch_size")
    if steps := training.get("steps_per_epoch"):
        return f"{epochs} epochs of {steps:,} steps"
    if isinstance(rows, int) and isinstance(batch_size, int) and batch_size > 0:
        return f"{epochs} epochs of {math.ceil(rows / batch_size):,} steps"
    return f"{epochs} epochs"


def _code(entry: Entry) -> str:
    """Commits of the repositories that the run's code and config lie in, with a mark where they were changed."""
    git = entry.record.get("git")
    repositories = [_mapping(one) for one in git] if isinstance(git, list) else []
    states = []
    for one in repositories:
        patch = _mapping(one.get("patch")).get("sha256")
        states.append(str(one.get("commit"))[:8] + (f" and changes {str(patch)[:8]}" if patch else ""))
    return " + ".join(states) or "no commit"


def _versions(entries: Sequence[Entry]) -> Callable[[Entry], str]:
    """The versions of those packages that differ."""
    tables = {entry.number: _mapping(entry.record.get("versions")) for entry in entries}
    names = dict.fromkeys(name for table in tables.values() for name in table)
    differing = [name for name in names if len({str(table.get(name)) for table in tables.values()}) > 1]
    return lambda entry: ", ".join(f"{name} {tables[entry.number].get(name)}" for name in differing)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
