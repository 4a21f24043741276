"""`dlrun compare`: runs side by side."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs

if TYPE_CHECKING:
    from dlrun.analysis._entries import Entry
    from dlrun.analysis.compare import Comparison, Group


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs: path, id, name, or - for the latest.",
            autocompletion=_options.complete_run,
        ),
    ],
    every: Annotated[
        bool, typer.Option("--all", help="A name, or a folder of runs, stands for all runs in it.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw the curves over each other as a PNG, validation if there is."
        ),
    ] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Compare runs: the parameters that differ and how they went, ranked if data, split and metric are the same."""
    from dlrun.analysis.compare import compare as run_compare
    from dlrun.cli._comparison import show_comparison
    from dlrun.cli._output import echo, print_json
    from dlrun.files import short

    found = run_compare(runs, outputs, every=every)
    if plot:
        from dlrun.analysis._overlay import plot as draw_plot

        draw_plot(found, plot)
    if as_json:
        print_json({**as_values(found), "plot": str(plot.absolute()) if plot else None})
        return
    show_comparison(found)
    if plot:
        echo(f"curves: {short(plot.absolute())}")


def as_values(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON values."""
    return {
        "ranked": found.ranked,
        "reasons": found.reasons,
        "notes": found.notes,
        "parameters": list(found.parameters),
        "runs": [_run_values(found, entry) for entry in found.entries],
        "groups": [_group_values(group) for group in found.groups],
    }


def _run_values(found: Comparison, entry: Entry) -> dict[str, Any]:
    about = {"number": entry.number, "name": entry.name, "id": entry.run.id, "path": str(entry.run.path)}
    if entry.problem:
        return {**about, "status": entry.status, "problem": entry.problem}
    return {
        **about,
        "status": entry.status,
        "failure": entry.record.get("failure"),
        "rank": next(group.rank for group in found.groups if entry in group.entries) if entry.comparable else None,
        "seed": entry.seed,
        "parameters": found.parameters_of(entry),
        "monitor": entry.monitor,
        "mode": entry.mode,
        "best_epoch": entry.best_epoch,
        "epochs": entry.epochs,
        "best": entry.best,
        "baselines": entry.baselines,
        "seconds_per_epoch": entry.seconds_per_epoch,
        "data": {key: entry.data.get(key) for key in ("content", "split", "sample")},
    }


def _group_values(group: Group) -> dict[str, Any]:
    metrics = dict.fromkeys(name for entry in group.comparable for name in entry.best)
    return {
        "rank": group.rank,
        "runs": [entry.run.id for entry in group.entries],
        "seeds": [entry.seed for entry in group.entries],
        "n": len(group.comparable),
        "mean": {name: group.mean(name) for name in metrics},
        "spread": {name: group.spread(name) for name in metrics},
        "against_best": group.against_best and asdict(group.against_best),
    }
