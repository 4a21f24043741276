"""`dlrun runs`: the runs there are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs
from dlrun.cli._output import echo

if TYPE_CHECKING:
    from dlrun.run_index import Listed


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

    from dlrun.cli._output import plain_table, show

    rows = list_rows(outputs, name, None if as_json else last)
    if as_json:
        _print_rows(rows)
        return
    if not rows:
        called = f" of the name {name}" if name else ""
        echo(f"no runs{called} under {outputs}/ yet; start one: dlrun train {name or 'digits'}")
        return
    table = plain_table("name", "id", "status", "best epoch", "best", "seconds", left=("name", "id", "status", "best"))
    for row in rows:
        colour = {"completed": "green", "running": "blue", "failed": "red"}.get(row["status"], "yellow")
        best = escape(f"{row['metric']} {row['value']:.4f}") if row["value"] is not None else ""
        status = f"[{colour}]{escape(str(row['status']))}[/]"
        epoch, seconds = str(row["best_epoch"] or ""), str(row["seconds"] or "")
        table.add_row(escape(row["name"]), escape(row["id"]), status, epoch, best, seconds)
    show(table)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """One object, a line for each row: ten thousand take a third of the time that `print_json` would take."""
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    sys.stdout.write(f'{{"runs": [\n{lines}\n]}}\n')


def list_rows(outputs: Path, name: str | None, last: int | None = None) -> list[dict[str, Any]]:
    """One entry per run and study, the latest last; with the id of a study those of the runs in it.

    A run whose files are damaged says so instead of failing the list.
    """
    from dlrun.run_index import listed

    rows = listed(outputs, _folder(outputs, name)) if name else listed(outputs)
    return [_row(outputs, row) for row in rows[-last if last else 0 :]]


def _folder(outputs: Path, name: str) -> str:
    """The folder that holds what is called so, below that of all runs: of a name, or of a study by its id."""
    studies = [path.parent for path in outputs.glob(f"*/{name}/study.json")] if not (outputs / name).is_dir() else []
    return str(studies[0].relative_to(outputs)) if studies else name


def _row(outputs: Path, row: Listed) -> dict[str, Any]:
    about = {
        "name": row.folder.rpartition("/")[2],
        "id": row.id,
        "path": str((outputs / row.folder / row.id).absolute()),
    }
    facts = {"seconds": row.seconds, "best_epoch": row.best_epoch, "metric": row.metric, "value": row.value}
    return {**about, "started": row.started, "status": row.status, **facts}
