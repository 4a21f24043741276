"""A batch while it goes on: a board on a terminal, one line for each event elsewhere."""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from dlrun.cli._output import echo, err, number, plain_table
from dlrun.cli._queue_tables import place
from dlrun.config.loading import load_config
from dlrun.errors import DlrunError
from dlrun.files import short
from dlrun.jobs.endings import BROKEN, DONE, OPEN, RUNNING, WAITING, end_of_output
from dlrun.jobs.entries import Entry
from dlrun.jobs.queue import Queue
from dlrun.run_dir import RunDir
from dlrun.studies.batch import metrics_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dlrun.jobs.working import Look

_BEST = "*best so far"
_EPOCH = re.compile(r"^epoch (\d+)  ([\d.]+) s  (.*)$", re.MULTILINE)
_VALUE = re.compile(r"(\S+) ([-\d.e+]+)(?=  |$)")


@contextmanager
def watching(queue: Queue, *, quiet: bool, as_json: bool) -> Iterator[Look]:
    """What tells of the entries as they change, on stderr."""
    lines = Lines(queue, quiet=quiet)
    if quiet or as_json or not sys.stderr.isatty():
        yield lines.look
        return
    from rich.live import Live

    board = Board(queue)
    with Live(get_renderable=board.render, console=err(), refresh_per_second=4, transient=True) as live:
        lines.tell = lambda text: live.console.print(text, markup=False)

        def look(entries: list[Entry]) -> None:
            lines.look(entries)
            board.look(entries)

        yield look


class Lines:
    """One line for each run that begins, ends, or is to be tried again."""

    def __init__(self, queue: Queue, *, quiet: bool) -> None:
        self.queue = queue
        self.tell: Callable[[str], None] = (lambda text: None) if quiet else (lambda text: echo(text, err=True))
        self._known: dict[int, Entry] | None = None

    def look(self, entries: list[Entry]) -> None:
        """Tell what has changed since the last look."""
        known, self._known = self._known, {entry.number: entry for entry in entries}
        ended = sum(entry.state not in OPEN for entry in entries)
        for entry in entries:
            before = known.get(entry.number) if known is not None else None
            if known is None and entry.state != RUNNING:
                continue
            if before is None or _moment(before) != _moment(entry):
                self.tell(f"{datetime.now():%H:%M:%S} [{ended}/{len(entries)}] job {entry.number} {self._text(entry)}")

    def _text(self, entry: Entry) -> str:
        run_dir = self.queue.job(entry).run_dir
        if entry.state == RUNNING:
            return f"runs on {place(entry)}: {short(run_dir)}"
        if entry.state == DONE:
            row = metrics_of(RunDir(run_dir))
            told = f": {row['metric']} {number(row['value'])} at epoch {row['best_epoch']}" if row else ""
            return f"done: {short(run_dir)}{told}"
        if entry.state == WAITING:
            again = "will be tried again" + (", alone on its device" if entry.alone else "")
            return f"{again}: {entry.message}" if entry.failure else "waits"
        why = f": {entry.failure}: {entry.message}" if entry.state == BROKEN else ""
        return f"{entry.state}: {short(run_dir)}{why}"


def _moment(entry: Entry) -> tuple[object, ...]:
    """What differs between two looks when there is something to tell."""
    return entry.state, entry.began, entry.crashes


class Board:
    """The runs that are under way, drawn a few times a second."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.began = time.time()
        self._rows: list[list[str]] = []
        self._head = ""
        self._plans: dict[int, tuple[int, str | None]] = {}

    def look(self, entries: list[Entry]) -> None:
        """Read the state of the runs."""
        counts = {state: sum(entry.state == state for entry in entries) for state in (DONE, RUNNING, WAITING, BROKEN)}
        self._head = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        self._head += ", paused" if self.queue.paused() else ""
        self._rows = [self._row(entry) for entry in entries if entry.state == RUNNING]

    def render(self) -> RenderableType:
        """The board as it was at the last look."""
        from rich.console import Group
        from rich.markup import escape
        from rich.text import Text

        table = plain_table("job", "device", "run", "epoch", "best", "left", left=("device", "run", "best"))
        for row in self._rows:
            table.add_row(*map(escape, row))
        seconds = int(time.time() - self.began)
        head = Text(f"{self._head}  {seconds // 60}:{seconds % 60:02d}", style="bold")
        return Group(head, table) if self._rows else head

    def _row(self, entry: Entry) -> list[str]:
        job = self.queue.job(entry)
        if entry.number not in self._plans:
            try:
                config = load_config(job.config_file)
                self._plans[entry.number] = config.training.epochs, config.monitor.metric
            except DlrunError:  # its file was removed, which the run itself will tell
                self._plans[entry.number] = 0, None
        epochs, monitor = self._plans[entry.number]
        return [
            str(entry.number),
            place(entry),
            short(job.run_dir),
            *printed(end_of_output(job.run_dir), epochs, monitor),
        ]


def printed(text: str, epochs: int, monitor: str | None) -> tuple[str, str, str]:
    """Epoch, best value and time left, from what a run prints."""
    lines = _EPOCH.findall(text)
    if not lines:
        return f"0/{epochs}", "", ""
    best = next((logs for _, _, logs in reversed(lines) if _BEST in logs), "")
    values = dict(_VALUE.findall(best))
    metric = next((name for name in (monitor, "val_loss", "loss") if name in values), None)
    left = int(statistics.median(float(seconds) for _, seconds, _ in lines) * (epochs - int(lines[-1][0])))
    shown = f"{metric} {values[metric]}" if metric else ""
    return f"{lines[-1][0]}/{epochs}", shown, f"{left // 60}:{left % 60:02d}"
