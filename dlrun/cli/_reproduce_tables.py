"""What `dlrun reproduce` shows: its plan, each step as it ends, the table."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.cli._output import echo, plain_table, print_json, show
from dlrun.files import short
from dlrun.studies import _stated_table as texts
from dlrun.studies._stated_rows import BAD, DATA_MISSING, FAILED, PASS, Row
from dlrun.studies.reproduce import plan

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.studies._archive import Archive
    from dlrun.studies._claims import Claim
    from dlrun.studies._subjects import Child

_COLOURS = {PASS: "green", **dict.fromkeys(BAD, "red")}


def show_plan(claims: Sequence[Claim], archive: Archive, *, as_json: bool) -> None:
    """What would run, in order, with the time it is expected to take."""
    from rich.markup import escape

    work = plan(claims, archive)
    missing = {claim.name: claim.missing for claim in claims if claim.missing}
    total = sum(one.cost.seconds for one in work)
    commands = [("dlrun", *one.subject.command, *_further(one.subject.after, one.reads_test)) for one in work]
    if as_json:
        steps = [
            {"command": list(command), "seconds": one.cost.seconds, "measured": one.cost.measured}
            for one, command in zip(work, commands, strict=True)
        ]
        print_json({"results": len(claims), "steps": steps, "seconds": total, "data_missing": missing})
        return
    table = plain_table("expected", "command", left=("command",))
    for one, command in zip(work, commands, strict=True):
        table.add_row(texts.cost_text(one.cost.seconds, measured=one.cost.measured), escape(_typed(command)))
    if work:
        show(table)
    for name, files in missing.items():
        echo(f"{name}: {DATA_MISSING}: {', '.join(files)}")
    echo(f"{len(claims)} stated results; {len(work)} runs to do, {texts.cost_text(total, measured=False)} in all")


def _further(after: str, reads_test: bool) -> list[str]:
    return [*(["&&", "dlrun", "retrain"] if after == "retrain" else []), *(["&&", "dlrun", "evaluate"] * reads_test)]


def _typed(command: Sequence[str]) -> str:
    return " ".join(part if part == "&&" else shlex.quote(part) for part in command)


def tell_plan(claims: Sequence[Claim], archive: Archive, *, quiet: bool) -> None:
    """How much is to do, on stderr."""
    work = plan(claims, archive)
    if work and not quiet:
        total = texts.cost_text(sum(one.cost.seconds for one in work), measured=False)
        echo(f"{len(claims)} stated results; {len(work)} runs to do, {total} in all", err=True)


def ending(*, quiet: bool) -> Callable[[Child, str], None]:
    """Tells of each command as it ends, on stderr."""

    def tell(child: Child, failure: str) -> None:
        if not quiet:
            how = f"failed, see {short(child.run_dir)}.out: {failure}" if failure else "done"
            echo(f"{datetime.now():%H:%M:%S} dlrun {shlex.join(child.command)}: {how}", err=True)

    return tell


def show_rows(rows: Sequence[Row], file: Path, about: dict[str, Any], *, as_json: bool) -> None:
    """The table, where it lies, and on stderr the rows that fail."""
    if as_json:
        print_json({**texts.as_values(rows, about), "table": str(file)})
    else:
        show(_table(rows))
        echo(texts.summary(rows))
        echo(f"table {short(file)}")
    for row in texts.failing(rows):
        reason = f": {row.note}" if row.note and row.verdict == FAILED else ""
        echo(f"{row.verdict}: {row.config}, {row.stated}{reason}", err=True)


def _table(rows: Sequence[Row]) -> Table:
    from rich.markup import escape

    table = plain_table(
        "config", "stated", "measured", "deviation", "verdict", "s", left=("config", "stated", "verdict")
    )
    for row in rows:
        config, stated, measured, deviation, verdict, seconds, _ = map(escape, texts.cells(row))
        colour = _COLOURS.get(row.verdict)
        table.add_row(config, stated, measured, deviation, f"[{colour}]{verdict}[/]" if colour else verdict, seconds)
    return table
