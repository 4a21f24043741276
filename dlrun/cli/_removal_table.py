"""What `dlrun runs rm` and `prune` show before they remove it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlrun.cli._output import echo, note, number, plain_table, show
from dlrun.files import short

if TYPE_CHECKING:
    from dlrun.studies.removal import Target

SHOWN = 50  # rows
NOTED = 5  # runs whose notes are told one by one


def show_targets(targets: Sequence[Target]) -> None:
    """A row for each, what all of them take of the disk, and who else refers to them."""
    from rich.markup import escape

    if not targets:
        echo("there is nothing to remove")
        return
    table = plain_table("what", "status", "best", "MiB", left=("what", "status", "best"), whole=("what", "status"))
    for target in targets[:SHOWN]:
        row = target.row
        best = f"{row.metric} {number(row.value)}" if row.value is not None else ""
        what = "/".join([short(target.path), *target.parts])
        cells = map(escape, (what, row.status, best))
        table.add_row(*cells, f"{_mib(target.bytes):.1f}")
    show(table)
    if len(targets) > SHOWN:
        echo(f"... and {len(targets) - SHOWN:,} more; all of them: --dry-run --json")
    echo(f"{_count(targets)}, {_mib(sum(target.bytes for target in targets)):,.1f} MiB")
    referred = [target for target in targets if target.notes]
    if len(referred) > NOTED:
        note(f"the queue, or a study, refers to {len(referred):,} of them")
    for target in referred if len(referred) <= NOTED else ():
        for text in target.notes:
            note(f"{target.row.id}: {text}")


def summary(targets: Sequence[Target]) -> str:
    """What was removed, in one line."""
    return f"removed {_count(targets)}; {_mib(sum(target.bytes for target in targets)):,.1f} MiB are free again"


def as_values(targets: Sequence[Target], *, dry_run: bool) -> dict[str, Any]:
    """JSON values."""
    rows = [
        {
            "path": str(target.path),
            "kind": target.row.kind,
            "status": target.row.status,
            "parts": list(target.parts),
            "bytes": target.bytes,
            "notes": list(target.notes),
        }
        for target in targets
    ]
    return {"removed": not dry_run, "bytes": sum(target.bytes for target in targets), "runs": rows}


def _count(targets: Sequence[Target]) -> str:
    many = "s" * (len(targets) != 1)
    if any(target.parts for target in targets):
        return f"the checkpoints of {len(targets):,} run{many}"
    kinds = {target.row.kind for target in targets}
    what = (
        {"run": f"run{many}", "study": "studies" if many else "study"}[kinds.pop()]
        if len(kinds) == 1
        else "runs and studies"
    )
    return f"{len(targets):,} {what}"


def _mib(size: int) -> float:
    return size / 2**20
