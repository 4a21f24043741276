"""`dlrun reproduce`: what a source states against what is measured."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Quiet


def reproduce(
    patterns: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATTERN", help="Names such as 'book/imdb*', or files. Default: 'book/*'."),
    ] = None,
    scale: Annotated[
        Literal["book", "small"], typer.Option(help="small: configs with a key `small` are shortened by it.")
    ] = "book",
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin nothing that would not end within it: 90s, 30m, 2h.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs per result in place of those stated; orders need three.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Runs at once.")] = 1,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The table as Markdown, with FILE.json beside it.")
    ] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and how long; run nothing.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Print what is stated as a page; run nothing.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run configs that carry `expect:` and compare what their source states with what they measure."""
    from dlrun.cli import _reproduce_tables as tables
    from dlrun.studies import _stated_table
    from dlrun.studies import reproduce as study
    from dlrun.studies._archive import Archive
    from dlrun.studies._book_page import book_page
    from dlrun.studies._claims import find_claims, find_configs
    from dlrun.studies._costs import parse_duration

    chosen = patterns or ["book/*"]
    seconds = parse_duration(budget) if budget else None
    claims = find_claims(find_configs(chosen), scale=scale, seeds=seeds)
    if docs:
        sys.stdout.write(book_page(claims, chosen))
        return
    archive = Archive(outputs)
    if dry_run:
        tables.show_plan(claims, archive, as_json=as_json)
        return
    file = table or outputs / "reproduce" / "table.md"
    about = _about(chosen, scale)
    tables.tell_plan(claims, archive, quiet=quiet)
    rows = study.run(
        claims,
        archive,
        study.Limits(jobs, seconds, warm=study.can_be_warm(claims)),
        on_rows=lambda rows: _stated_table.write_tables(file, rows, about),
        on_end=tables.ending(quiet=quiet),
    )
    tables.show_rows(rows, file, about, as_json=as_json)
    if _stated_table.failing(rows):
        raise typer.Exit(1)


def _about(patterns: list[str], scale: str) -> dict[str, Any]:
    """What the table rests on, as JSON values."""
    from datetime import datetime

    from dlrun.environment import installed_versions

    return {
        "command": ["dlrun", *sys.argv[1:]],
        "patterns": patterns,
        "scale": scale,
        "begun": datetime.now().astimezone().isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "versions": installed_versions(),
    }
