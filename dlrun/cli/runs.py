"""`dlrun runs`: the runs there are, and removing them."""

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
    from dlrun.studies.removal import Target


class _ListByDefault(typer.core.TyperGroup):
    """`dlrun runs imdb` is `dlrun runs ls imdb`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = args and (args[0] in self.commands or args[0] in ("-h", "--help"))
        return super().parse_args(ctx, args if known else ["ls", *args])


app = typer.Typer(cls=_ListByDefault, help="List runs, latest last, or remove some. `dlrun runs` is `dlrun runs ls`.")
_ROOMY = 100  # columns of a terminal with room for the seconds, too
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("ls")
def ls(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only runs of this name.", autocompletion=_options.complete_run)
    ] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many, counted from the latest.")] = 20,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """List runs, latest last."""
    from rich.markup import escape

    from dlrun.cli._output import number, plain_table, show, width

    rows = list_rows(outputs, name, None if as_json else last)
    if as_json:
        _print_rows(rows)
        return
    if not rows:
        called = f" of the name {name}" if name else ""
        echo(f"no runs{called} under {outputs}/ yet; start one: dlrun train {name or 'digits'}")
        return
    left = ("name", "id", "status", "best")
    headings = ("name", "id", "status", "epoch", "best", *["seconds"] * (width() >= _ROOMY))
    table = plain_table(*headings, left=left, whole=("id", "status"))
    for row in rows:
        colour = {"completed": "green", "running": "blue", "failed": "red"}.get(row["status"], "yellow")
        best = escape(f"{row['metric']} {number(row['value'])}") if row["value"] is not None else ""
        status = f"[{colour}]{escape(str(row['status']))}[/]"
        epoch, seconds = str(row["best_epoch"] or ""), f"{row['seconds']:.1f}" if row["seconds"] else ""
        table.add_row(*[escape(row["name"]), escape(row["id"]), status, epoch, best, seconds][: len(headings)])
    show(table)


@app.command("rm")
def rm(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs or studies: a path, the beginning of an id, or - for the latest.",
            autocompletion=_options.complete_run,
        ),
    ],
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; remove nothing.")] = False,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Remove runs or studies, with all that lies in them. Asks first."""
    from dlrun.studies.removal import find_targets

    _remove(find_targets(runs, outputs), outputs, yes=yes, dry_run=dry_run, as_json=as_json)


@app.command("prune")
def prune(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Only runs of this name, or in this study.", autocompletion=_options.complete_run
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="best:N|last:N", help="Of each name the N best or latest stay. Repeatable."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed runs.")] = False,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only runs that began before: 12h, 30d, 2w.")
    ] = None,
    checkpoints_only: Annotated[
        bool, typer.Option("--checkpoints-only", help="Only their checkpoints: what training could go on from.")
    ] = False,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; remove nothing.")] = False,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Remove runs to which all these conditions apply. Asks first; never touches what runs or waits in the queue."""
    from datetime import datetime

    from dlrun.run_index import listed
    from dlrun.studies import prune as pruning
    from dlrun.studies.removal import checkpoint_targets, run_targets

    age = pruning.read_age(older_than) if older_than else None
    choice = pruning.Choice(**pruning.read_keep(keep or []), failed=failed, older_than=age)
    if not choice.stated and not checkpoints_only:
        raise typer.BadParameter("say which runs: --keep, --failed, --older-than", param_hint="--keep")
    rows = listed(outputs, _folder(outputs, name)) if name else listed(outputs)
    chosen = pruning.choose(rows, choice, datetime.now().astimezone())
    targets = (checkpoint_targets if checkpoints_only else run_targets)(chosen, outputs)
    _remove(targets, outputs, yes=yes, dry_run=dry_run, as_json=as_json)


def _remove(targets: list[Target], outputs: Path, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Show what would go, ask, remove it."""
    from dlrun.cli import _removal_table
    from dlrun.cli._output import print_json
    from dlrun.studies.removal import remove

    if not as_json:
        _removal_table.show_targets(targets)
    if targets and not dry_run:
        if not yes and (as_json or not sys.stdin.isatty()):
            raise typer.BadParameter("without a terminal to ask on, nothing is removed", param_hint="--yes")
        if not yes and not typer.confirm("Remove them?", err=True):
            echo("nothing was removed", err=True)
            return
        remove(targets, outputs)
    if as_json:
        print_json(_removal_table.as_values(targets, dry_run=dry_run))
    elif targets and not dry_run:
        echo(_removal_table.summary(targets))


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
