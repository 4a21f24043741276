"""Several runs beside each other: what differs, how they went, curves over each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlrun.analysis._differences import MISSING, OPEN
from dlrun.analysis._entries import Entry
from dlrun.analysis._overlay import MOST_DRAWN, curves, groups_of, labels
from dlrun.analysis._ranking import runs_text
from dlrun.analysis.compare import Comparison, Group, compare, metrics_of
from dlrun.files import number
from dlrun.report._curves import COLOURS, Chart, Series, draw
from dlrun.report._markup import NOTHING, Figure, Html, el, folded, join, listed, table
from dlrun.report._page import Section, Top, page, part
from dlrun.report._words import BASELINE, as_parameter
from dlrun.run_dir import COMPLETED

_STYLES = ("line", "dashed", "dotted")


def several_page(texts: Sequence[str], outputs: Path, *, every: bool) -> str:
    """The page of several runs. Raises what `compare` raises."""
    found = compare(texts, outputs, every=every)
    sections: list[Section | None] = [
        part("notes", "Notes", _notes, found),
        part("runs", "Runs", _runs, found),
        part("seeds", "Configurations over seeds", _groups, found),
        part("baselines", "Baselines", _baselines, found),
        part("curves", "Curves", _curves, found),
    ]
    return page(_top(found), sections)


def _top(found: Comparison) -> Top:
    names = list(dict.fromkeys(entry.name for entry in found.entries))
    title = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    states = {entry.status for entry in found.entries}
    status = states.pop() if len(states) == 1 else "mixed"
    told = [
        ("runs", str(len(found.entries))),
        ("configurations", str(len(found.groups))),
        ("what differs", ", ".join(found.parameters) or "nothing"),
    ]
    return Top(title, f"{len(found.entries)} runs beside each other", status, _verdict(found), told)


def _verdict(found: Comparison) -> list[str]:
    if not found.ranked:
        return ["Not ranked, because " + "; ".join(found.reasons) + "."]
    first = found.groups[0]
    entry = first.comparable[0]
    mean, spread = first.mean(str(entry.monitor)), first.spread(str(entry.monitor))
    value = number(mean) + (f" ± {number(spread)}" if spread is not None else "")
    most = "highest" if entry.mode == "max" else "lowest"
    return [
        f"Best: {runs_text(first.entries)}, with {entry.monitor} {value}; ranked by it, {most} first, on the same data "
        "and split."
    ]


def _notes(found: Comparison) -> Html:
    damaged = [f"run {entry.number} cannot be compared: {entry.problem}" for entry in found.entries if entry.problem]
    bad = [el("p", line, class_="note bad") for line in damaged]
    return join([*bad, *(el("p", note, class_="note") for note in found.notes)])


def _runs(found: Comparison) -> Html:
    """A row for each run: only the parameters that differ."""
    entries = [entry for entry in found.entries if not entry.problem]
    metrics, names = metrics_of(entries), labels(found)
    ranks = {id(entry): group.rank for group in found.groups for entry in group.entries}
    keys = list(found.parameters)
    stopped = any(entry.status != COMPLETED for entry in entries)
    rows = []
    for entry in entries:
        own = [_parameter(found.parameters[key][entry.number - 1]) for key in keys]
        values = [entry.best.get(name) for name in metrics]
        epochs = Figure(f"{entry.best_epoch or '-'} of {entry.epochs}" if entry.epochs else "")
        rank = [ranks[id(entry)] if entry.comparable else None] if found.ranked else []
        state = [entry.outcome] if stopped else []
        rows.append([entry.number, *rank, *state, *own, *values, epochs, entry.seconds_per_epoch])
    heads = ["#", *(["rank"] if found.ranked else []), *(["status"] if stopped else [])]
    whole = table("Only what differs", [*heads, *keys, *metrics, "best epoch", "s per epoch"], rows)
    paths = [
        el("span", f"{names[entry.number].partition(':')[0]}: ", el("code", str(entry.run.path)))
        for entry in found.entries
    ]
    return join([whole, folded("Where they lie", listed(paths))])


def _parameter(value: object) -> Any:
    if value is MISSING or value is OPEN:
        return ""
    return as_parameter(value)


def _groups(found: Comparison) -> Html:
    """Mean and spread over seeds, and the paired test against the first."""
    if not found.repeated:
        return NOTHING
    metrics = metrics_of([entry for entry in found.entries if not entry.problem])
    keys = [key for key in found.parameters if key != "seed"]
    compared = any(group.against_best for group in found.groups)
    rows = []
    for group in found.groups:
        own = [_parameter(found.parameters[key][group.entries[0].number - 1]) for key in keys]
        means = [Figure(_mean(group, name)) for name in metrics]
        rows.append(
            [runs_text(group.entries), *own, len(group.comparable), *means, *(_against(group) if compared else [])]
        )
    heads = ["runs", *keys, "n", *metrics, *(["against the first", "p"] if compared else [])]
    note = "The first was chosen for being the best, so p is too small, the more so the more configurations there are."
    caption = "Mean ± standard deviation over seeds"
    caption += "; difference from the first, seed by seed, and p of the paired t-test" if compared else ""
    return join([table(caption, heads, rows), el("p", note, class_="soft") if compared else None])


def _mean(group: Group, metric: str) -> str:
    mean, spread = group.mean(metric), group.spread(metric)
    return "" if mean is None else number(mean) + (f" ± {number(spread)}" if spread is not None else "")


def _against(group: Group) -> list[Figure]:
    found = group.against_best
    if found is None:
        return [Figure(""), Figure("")]
    return [
        Figure(f"{number(found.mean)} ± {number(found.spread)}"),
        Figure("" if found.p is None else f"{found.p:.2g}"),
    ]


def _baselines(found: Comparison) -> Html:
    """The levels of each run's baselines, once where they are the same."""
    entries = [entry for entry in found.entries if not entry.problem and entry.baselines]
    metrics = [name for name in metrics_of(entries) if any(name in entry.baselines for entry in entries)]
    lines: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        levels = (entry.baselines.get(name) for name in metrics)
        lines.setdefault(tuple("" if level is None else number(level) for level in levels), []).append(entry)
    rows = [[runs_text(those), *map(Figure, levels)] for levels, those in lines.items()]
    if not metrics:
        return NOTHING
    return join([table("What must be beaten", ["runs", *metrics], rows), el("p", BASELINE, class_="soft")])


def _curves(found: Comparison) -> Html:
    """One picture for each metric."""
    drawn, groups = [], groups_of(found)
    for metric, lines in curves(found).items():
        shown = list(lines.items())[:MOST_DRAWN]
        series = [Series(name, [line], *_look(groups[name])) for name, line in shown]
        cut = f" (the first {MOST_DRAWN} of {len(lines)} runs)" if len(lines) > MOST_DRAWN else ""
        title = metric.replace("_", " ") + cut
        drawn.append(draw(Chart(title, series)))
    return el("div", *drawn, class_="charts") if any(drawn) else NOTHING


def _look(group: int) -> tuple[str, int]:
    """Style and colour, one for all runs of a configuration."""
    turn, colour = divmod(group, COLOURS)
    return _STYLES[turn % len(_STYLES)], colour
