"""The queue on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dlrun.cli._batch_board import place
from dlrun.cli._batch_tables import COLOURS
from dlrun.cli._output import echo, plain_table, show
from dlrun.files import short
from dlrun.jobs.endings import RUNNING, WAITING

if TYPE_CHECKING:
    from dlrun.jobs.entries import Entry
    from dlrun.jobs.queue import Queue

_MESSAGE_WIDTH = 80


def values_of(entry: Entry, queue: Queue) -> dict[str, Any]:
    """An entry as JSON values."""
    return {**asdict(entry), "run": str(queue.job(entry).run_dir)}


def show_entries(entries: Sequence[Entry], queue: Queue) -> None:
    """A table of the entries, and how many there are of each state in the queue."""
    from rich.markup import escape

    table = plain_table("job", "state", "run", "on", "added", "", left=("state", "run", "on", ""))
    for entry in entries:
        state = f"[{COLOURS[entry.state]}]{state_text(entry)}[/]"
        where = place(entry) if entry.state == RUNNING else ""
        why = f"{entry.failure}: {entry.message}"[:_MESSAGE_WIDTH] if entry.failure else ""
        added = f"{datetime.fromtimestamp(entry.added):%m-%d %H:%M}"
        run = short(queue.job(entry).run_dir)
        table.add_row(str(entry.number), state, escape(run), escape(where), added, escape(why))
    if entries:
        show(table)
    paused = "; paused: dlrun queue resume" if queue.paused() else ""
    echo((", ".join(f"{count} {state}" for state, count in queue.counts().items()) or "empty") + paused)


def state_text(entry: Entry) -> str:
    """The state in a word or two."""
    if entry.state == RUNNING and entry.cancelled:
        return "stopping"
    return "paused" if entry.state == WAITING and entry.paused else entry.state
