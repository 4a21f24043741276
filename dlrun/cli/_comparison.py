"""How `dlrun compare` prints: runs, configurations that were run with several seeds, and what to know of them."""

from __future__ import annotations

from rich.text import Text

from dlrun.analysis._differences import MISSING, OPEN
from dlrun.analysis._entries import Entry
from dlrun.analysis._paired import Paired
from dlrun.analysis._ranking import runs_text
from dlrun.analysis.compare import Comparison, Group, metrics_of
from dlrun.cli._output import echo, number, show, width
from dlrun.cli._side_by_side import Fields, fits_in_rows, in_columns, in_rows
from dlrun.config.dumping import flow
from dlrun.errors import visible
from dlrun.files import short
from dlrun.run_dir import COMPLETED

_COLOURS = {"completed": "green", "running": "blue", "failed": "red"}


def show_comparison(found: Comparison) -> None:
    """Tables on stdout: runs, configurations if some were run more than once, baselines, reasons and notes."""
    entries = [entry for entry in found.entries if not entry.problem]
    metrics = metrics_of(entries)
    _show_runs(found, entries, metrics)
    if found.repeated:
        echo("\nmean ± standard deviation over seeds")
        _show(_group_fields(found, metrics))
        if any(group.against_best for group in found.groups):
            echo("against the first: difference seed by seed, mean ± standard deviation; p of the paired t-test")
    echo()
    for line in [*_baselines(entries, metrics), *_verdict(found, entries)]:
        echo(line)
    for entry in found.entries:
        if entry.problem:
            echo(f"run {entry.number} cannot be compared: {entry.problem}  ({short(entry.run.path)})")


def _show_runs(found: Comparison, entries: list[Entry], metrics: list[str]) -> None:
    numbered, *fields = _run_fields(found, entries, metrics)
    several = len({entry.name for entry in entries}) > 1
    ids = [Text(visible(f"{entry.name}/{entry.run.id}" if several else entry.run.id)) for entry in entries]
    if not _show([numbered, ("run", ids), *fields], else_columns=[numbered, *fields]):
        for entry in entries:
            echo(f"{entry.number}  {short(entry.run.path)}")


def _show(rows: Fields, else_columns: Fields | None = None) -> bool:
    """Print a row for each thing if the terminal is wide enough, else columns; whether it was."""
    wide = fits_in_rows(rows, width())
    if wide:
        show(in_rows(rows, left=("run", "runs", "status")))
    else:
        for table in in_columns(else_columns or rows, width()):
            show(table)
            echo()
    return wide


def _run_fields(found: Comparison, entries: list[Entry], metrics: list[str]) -> Fields:
    ranks = {id(entry): group.rank for group in found.groups for entry in group.entries}
    best = ["bold" if ranks[id(entry)] == 1 and entry.comparable and not found.repeated else "" for entry in entries]
    fields: Fields = [("#", [Text(str(entry.number), style) for entry, style in zip(entries, best, strict=True)])]
    if any(entry.status != COMPLETED for entry in entries):
        fields.append(
            ("status", [Text(visible(entry.outcome), _COLOURS.get(entry.status, "yellow")) for entry in entries])
        )
    for key, values in found.parameters.items():
        fields.append((key, [_parameter(value) for value in values]))
    for name in metrics:
        style = best if name in {entry.monitor for entry in entries} else [""] * len(entries)
        texts = [number(entry.best[name]) if name in entry.best else "" for entry in entries]
        fields.append((name, [Text(text, how) for text, how in zip(texts, style, strict=True)]))
    epochs = [f"{entry.best_epoch or '-'} of {entry.epochs}" if entry.epochs else "" for entry in entries]
    seconds = ["" if entry.seconds_per_epoch is None else f"{entry.seconds_per_epoch:.3g}" for entry in entries]
    return [*fields, ("best epoch", [Text(text) for text in epochs]), ("s/epoch", [Text(text) for text in seconds])]


def _group_fields(found: Comparison, metrics: list[str]) -> Fields:
    groups = found.groups
    fields: Fields = [("runs", [Text(runs_text(group.entries).partition(" ")[2]) for group in groups])]
    for key, values in found.parameters.items():
        if key != "seed":
            fields.append((key, [_parameter(values[group.entries[0].number - 1]) for group in groups]))
    fields.append(("n", [Text(str(len(group.comparable))) for group in groups]))
    for name in metrics:
        fields.append((name, [Text(_mean(group, name), "bold" if group.rank == 1 else "") for group in groups]))
    if any(group.against_best for group in groups):
        fields.append(("against the first", [Text(_difference(group.against_best)) for group in groups]))
        fields.append(("p", [Text(_p(group.against_best)) for group in groups]))
    return fields


def _difference(found: Paired | None) -> str:
    return f"{number(found.mean)} ± {number(found.spread)}" if found else ""


def _p(found: Paired | None) -> str:
    return "" if found is None or found.p is None else f"{found.p:.2g}"


def _mean(group: Group, metric: str) -> str:
    mean, spread = group.mean(metric), group.spread(metric)
    return "" if mean is None else number(mean) if spread is None else f"{number(mean)} ± {number(spread)}"


def _parameter(value: object) -> Text:
    return Text("-", "dim") if value is MISSING or value is OPEN else Text(visible(flow(value)))


def _baselines(entries: list[Entry], metrics: list[str]) -> list[str]:
    """One line for all runs with the same baselines."""
    lines: dict[str, list[Entry]] = {}
    for entry in entries:
        levels = [f"{name} {number(entry.baselines[name])}" for name in metrics if name in entry.baselines]
        if levels:
            lines.setdefault(", ".join(levels), []).append(entry)
    return [
        f"baseline: {text}" + (f" in {runs_text(those)}" if len(lines) > 1 else "") for text, those in lines.items()
    ]


def _verdict(found: Comparison, entries: list[Entry]) -> list[str]:
    if found.ranked:
        judged = next(entry for entry in entries if entry.comparable)
        most = "highest" if judged.mode == "max" else "lowest"
        by = f"mean {judged.monitor}" if found.repeated else judged.monitor
        lines = [f"ranked by {by}, {most} first: the same data, split{'s' * found.repeated} and metric"]
    else:
        lines = ["not ranked:", *(f"  {reason}" for reason in found.reasons)]
    return lines + [f"note: {note}" for note in found.notes]
