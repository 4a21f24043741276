"""The queue on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dlrun.cli._output import echo, plain_table, show
from dlrun.jobs.endings import BROKEN, CANCELLED, DONE, RUNNING, WAITING
from dlrun.jobs.leases import gpu_of

if TYPE_CHECKING:
    from dlrun.jobs.entries import Entry
    from dlrun.jobs.queue import Queue

COLOURS = {DONE: "green", BROKEN: "red", RUNNING: "blue", WAITING: "yellow", CANCELLED: "yellow", "skipped": "green"}
_MESSAGE_WIDTH = 80


def values_of(entry: Entry, queue: Queue) -> dict[str, Any]:
    """An entry as JSON values."""
    return {**asdict(entry), "run": str(queue.job(entry).run_dir)}


def show_entries(entries: Sequence[Entry], queue: Queue, most: int) -> None:
    """A table of at most so many entries, and how many there are of each state in the queue."""
    from rich.markup import escape

    left = ("state", "name", "id", "")
    table = plain_table("job", "state", "name", "id", "added", "", left=left, whole=("state", "id"))
    for entry in around_the_next(entries, most):
        state = f"[{COLOURS[entry.state]}]{state_text(entry)}[/]"
        more = f"{entry.failure}: {entry.message}"[:_MESSAGE_WIDTH] if entry.failure else ""
        more = f"on {place(entry)}" if entry.state == RUNNING else more
        added = f"{datetime.fromtimestamp(entry.added):%m-%d %H:%M}"
        run = queue.job(entry).run_dir
        table.add_row(str(entry.number), state, escape(run.parent.name), escape(run.name), added, escape(more))
    if entries:
        show(table)
    if len(entries) > most:
        echo(f"{most} of {len(entries):,} around the next one; more: --most {len(entries)}")
    paused = "; paused: dlrun queue resume" if queue.paused() else ""
    echo((", ".join(f"{count} {state}" for state, count in queue.counts().items()) or "empty") + paused)


def around_the_next(entries: Sequence[Entry], most: int) -> Sequence[Entry]:
    """So many of the entries, half of them before the first that waits: those that run, and the latest that ended."""
    place = next((at for at, entry in enumerate(entries) if entry.state == WAITING), len(entries))
    begin = max(0, min(place - most // 2, len(entries) - most))
    return entries[begin : begin + most]


def place(entry: Entry) -> str:
    """Where an entry runs: its GPUs, or how many cores."""
    gpus = [name.partition("#")[0] for name in entry.lease if gpu_of([name])]
    return ", ".join(gpus) or f"{len(entry.lease)} core{'s' * (len(entry.lease) != 1)}"


def state_text(entry: Entry) -> str:
    """The state in a word or two."""
    if entry.state == RUNNING and entry.cancelled:
        return "stopping"
    return "paused" if entry.state == WAITING and entry.paused else entry.state
