"""`dlrun runs`: the runs there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs
from dlrun.cli._output import echo

if TYPE_CHECKING:
    from dlrun.run_dir import RunDir
    from dlrun.studies._study_dir import StudyDir


def runs(
    name: Annotated[
        str | None, typer.Argument(help="Only runs of this name.", autocompletion=_options.complete_run)
    ] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many, counted from the latest.")] = 20,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """List runs, latest last."""
    from rich.markup import escape

    from dlrun.cli._output import plain_table, print_json, show

    rows = list_rows(outputs, name)
    if as_json:
        print_json({"runs": rows})
        return
    if not rows:
        called = f" of the name {name}" if name else ""
        echo(f"no runs{called} under {outputs}/ yet; start one: dlrun train {name or 'digits'}")
        return
    table = plain_table("name", "id", "status", "best epoch", "best", "seconds", left=("name", "id", "status", "best"))
    for row in rows[-last:]:
        colour = {"completed": "green", "running": "blue", "failed": "red"}.get(row["status"], "yellow")
        best = escape(f"{row['metric']} {row['value']:.4f}") if row["value"] is not None else ""
        status = f"[{colour}]{escape(str(row['status']))}[/]"
        epoch, seconds = str(row["best_epoch"] or ""), str(row["seconds"] or "")
        table.add_row(escape(row["name"]), escape(row["id"]), status, epoch, best, seconds)
    show(table)


def list_rows(outputs: Path, name: str | None) -> list[dict[str, Any]]:
    """One entry per run and study, the latest last; with the id of a study those of the runs in it.

    A run whose files are damaged says so instead of failing the list.
    """
    from dlrun.run_dir import list_runs
    from dlrun.studies._study_dir import list_studies

    studies = list_studies(outputs)
    inside = [study.path.parent for study in studies if study.id == name]
    rows = [_run_row(run) for run in list_runs(inside[0] if inside else outputs)]
    rows += [_study_row(study) for study in studies]
    return [row for row in sorted(rows, key=lambda row: str(row["started"])) if name in (None, row["name"])]


def _run_row(run: RunDir) -> dict[str, Any]:
    from dlrun.errors import RunDirError
    from dlrun.run_dir import COMPLETED

    row = _row(run.path, run.started())
    try:
        record = run.record()
        row |= {"status": run.status(), "seconds": record.get("seconds")}
        if row["status"] == COMPLETED or run.metrics_file.exists():
            metrics = run.metrics()
            row |= {"best_epoch": metrics["best_epoch"], "metric": metrics["monitor"]}
            row["value"] = metrics["best"].get(metrics["monitor"])
    except (RunDirError, KeyError, AttributeError):
        row["status"] = "damaged"
    return row


def _study_facts(summary: dict[str, Any]) -> dict[str, Any]:
    """Of folds the recommended epoch and their mean there, of a sweep what its best trial has."""
    best, metric = summary["best"], summary["monitor"]
    if summary.get("verb") == "sweep":
        facts = {"best_epoch": best["best_epoch"], "value": best["value"]} if best else {}
    else:
        facts = {"best_epoch": summary["recommended_epochs"], "value": best[metric]["mean"]}
    return {"metric": metric, **facts}


def _study_row(study: StudyDir) -> dict[str, Any]:
    """As of a run, with what its summary says."""
    from dlrun.errors import RunDirError

    row = _row(study.path, "")
    try:
        row |= {"started": study.record()["started"], "status": study.status()}
        if study.summary_file.exists():
            row |= _study_facts(study.summary())
    except (RunDirError, KeyError, TypeError):
        row["status"] = "damaged"
    return row


def _row(path: Path, started: str) -> dict[str, Any]:
    row = {"name": path.parent.name, "id": path.name, "path": str(path), "started": started, "status": "damaged"}
    return row | dict.fromkeys(("seconds", "best_epoch", "metric", "value"))
