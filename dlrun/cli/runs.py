"""`dlrun runs`: the runs there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs
from dlrun.cli._output import echo


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
    """One entry per run; a run whose files are damaged says so instead of failing the list."""
    from dlrun.errors import RunDirError
    from dlrun.run_dir import COMPLETED, list_runs

    rows = []
    for run in list_runs(outputs):
        if name is not None and run.path.parent.name != name:
            continue
        row: dict[str, Any] = {"name": run.path.parent.name, "id": run.id, "path": str(run.path)}
        row |= {"status": "damaged", "seconds": None, "best_epoch": None, "metric": None, "value": None}
        try:
            record = run.record()
            row |= {"status": run.status(), "seconds": record.get("seconds")}
            if row["status"] == COMPLETED or run.metrics_file.exists():
                metrics = run.metrics()
                row |= {"best_epoch": metrics["best_epoch"], "metric": metrics["monitor"]}
                row["value"] = metrics["best"].get(metrics["monitor"])
        except (RunDirError, KeyError, AttributeError):
            row["status"] = "damaged"
        rows.append(row)
    return rows
