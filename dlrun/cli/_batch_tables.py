"""What `dlrun batch` shows before and after: the plan, what becomes of it, the table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.cli._output import echo, number, plain_table, print_json, show
from dlrun.cli._queue_tables import COLOURS
from dlrun.files import short
from dlrun.jobs.endings import BROKEN
from dlrun.jobs.entries import Entry
from dlrun.studies.batch import metrics_of

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.jobs.leases import Box
    from dlrun.studies.batch import Planned

_MESSAGE_WIDTH = 100
_SHOWN = 8  # numbers of failed runs in the hint


def show_plan(planned: Sequence[Planned], box: Box, *, rerun: bool, as_json: bool) -> None:
    """What would run."""
    from rich.markup import escape

    rows: list[dict[str, Any]] = [
        {
            "config": one.source,
            "name": one.config.name,
            "seed": one.config.seed,
            "device": one.child.runtime.device,
            "threads": one.child.runtime.threads,
            "equal": str(one.equal.path) if one.equal and not rerun else None,
        }
        for one in planned
    ]
    if as_json:
        print_json({"runs": rows, **_box_values(box)})
        return
    table = plain_table("config", "seed", "threads", "", left=("config", ""))
    for row in rows:
        skipped = f"skipped: equal to {short(Path(row['equal']))}" if row["equal"] else ""
        table.add_row(escape(row["config"]), str(row["seed"]), str(row["threads"]), escape(skipped))
    show(table)
    to_do = sum(not row["equal"] for row in rows)
    echo(f"{_runs(to_do)} to do, {_box_text(box)}")


def tell_begin(
    entries: Sequence[Entry], skipped: Sequence[Planned], box: Box, *, paused: bool = False, quiet: bool = False
) -> None:
    """How much is to do, on stderr."""
    if quiet:
        return
    for one in skipped:
        if one.equal is not None:
            echo(f"skipped: {one.source}, equal to {short(one.equal.path)}", err=True)
    counts = Counter(entry.state for entry in {entry.number: entry for entry in entries}.values())
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing to do"
    held = "; the queue is paused, end it: dlrun queue resume" if paused else ""
    echo(f"queue: {told}; {_box_text(box)}{held}", err=True)


def show_end(rows: Sequence[dict[str, Any]], skipped: Sequence[Planned], *, as_json: bool) -> None:
    """The runs and what became of them."""
    rows = [*rows, *(_skipped_row(one) for one in skipped)]
    counts = Counter(row["state"] for row in rows)
    if as_json:
        print_json({"runs": rows, **{state: counts[state] for state in COLOURS}})
        return
    if rows:
        show(_table(rows))
    echo(", ".join(f"{count} {state}" for state, count in counts.items()) or "nothing to do")
    broken = [str(row["job"]) for row in rows if row["state"] == BROKEN]
    if broken:
        many = " ..." * (len(broken) > _SHOWN)
        echo(f"next  dlrun queue logs {broken[0]}    dlrun queue retry {' '.join(broken[:_SHOWN])}{many}")


def _skipped_row(planned: Planned) -> dict[str, Any]:
    assert planned.equal is not None
    run = planned.equal
    return {"name": planned.config.name, "run": str(run.path), "state": "skipped", **metrics_of(run)}


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    from rich.markup import escape

    left = ("name", "id", "state", "best")
    table = plain_table("job", "name", "id", "state", "epoch", "best", "seconds", left=left, whole=("id", "state"))
    for row in rows:
        best = f"{row['metric']} {number(row['value'])}" if "metric" in row else ""
        if row["state"] == BROKEN:
            best = f"{row['failure']}: {row['message']}"[:_MESSAGE_WIDTH]
        seconds = f"{row['seconds']:.1f}" if "seconds" in row else ""
        run = Path(row["run"])
        name, identity = escape(run.parent.name), escape(run.name)
        state = f"[{COLOURS[row['state']]}]{row['state']}[/]"
        epoch = str(row.get("best_epoch", ""))
        table.add_row(str(row.get("job", "")), name, identity, state, epoch, escape(best), seconds)
    return table


def _box_values(box: Box) -> dict[str, Any]:
    return {"at_once": box.at_once, "gpus": list(box.gpus), "per_gpu": box.per_gpu, "cores": box.cores}


def _box_text(box: Box) -> str:
    where = f"{len(box.gpus)} GPU{'s' * (len(box.gpus) > 1)}" if box.gpus else f"{box.cores} cores"
    where += " of the cluster" * bool(box.pool)
    if box.gpus and not box.limited:
        return f"on {where}{f', {box.per_gpu} runs on each' * (box.per_gpu > 1)}"
    return f"at most {box.at_once} at once on {where}"


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"
