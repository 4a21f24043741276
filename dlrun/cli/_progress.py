"""What a run looks like while it goes on: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from dlrun.cli._output import err, plain_table
from dlrun.events import (
    DataReady,
    EpochDone,
    Event,
    ModelReady,
    Note,
    OnEvent,
    RunStarted,
    StepDone,
    as_line,
    ignore,
    shown_names,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 48
ROWS_SHOWN = 8


@contextmanager
def listener(*, quiet: bool, as_json: bool) -> Iterator[OnEvent]:
    """The listener that suits the terminal. Everything goes to stderr, so that stdout holds the result only."""
    if quiet:
        yield ignore
    elif sys.stderr.isatty() and not as_json:
        from rich.live import Live

        screen = Screen()
        try:
            with Live(get_renderable=screen.render, console=err(), refresh_per_second=8, transient=True):
                yield screen
        finally:
            screen.leave_behind()
    else:
        yield _print_line


def _print_line(event: Event) -> None:
    line = as_line(event)
    if line:
        typer.echo(line, err=True)


def curve(values: list[float], width: int = CURVE_WIDTH) -> str:
    """Values as a line of block characters, lowest to highest; more values than `width` are thinned out."""
    if not values:
        return ""
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    low, high = min(values), max(values)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0
    return "".join(BARS[round((value - low) * scale)] for value in values)


class Screen:
    """State of the live display; events change it, Rich draws it a few times a second."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.model: ModelReady | None = None
        self.epochs: list[EpochDone] = []
        self.best: EpochDone | None = None
        self.step: StepDone | None = None
        self.began = time.monotonic()

    def __call__(self, event: Event) -> None:
        if isinstance(event, ModelReady):
            self.model, self.began = event, time.monotonic()
            self.lines.append(as_line(event) or "")
        elif isinstance(event, StepDone):
            self.step = event
        elif isinstance(event, EpochDone):
            self.epochs.append(event)
            self.best = event if event.best else self.best
        elif isinstance(event, RunStarted | DataReady | Note):
            self.lines.append(as_line(event) or "")

    def render(self) -> RenderableType:
        """The whole display."""
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [Text(line, style="dim") for line in self.lines]
        if self.model:
            parts.append(self._bar(self.model))
            if self.epochs:
                parts += [self._table(), self._curve(self.model.monitor)]
        return Group(*parts)

    def leave_behind(self) -> None:
        """What stays on the screen when the display is gone: the head lines and the curve."""
        from rich.text import Text

        console = err()
        for line in self.lines:
            console.print(Text(line, style="dim"))
        if self.model and self.epochs:
            console.print(self._table())
            console.print(self._curve(self.model.monitor))

    def seconds_left(self) -> float | None:
        """Expected time to the last epoch, from the share of the steps that is done."""
        if not self.model:
            return None
        done = len(self.epochs) * self.model.steps_per_epoch
        first = self.epochs[0].epoch - 1 if self.epochs else 0
        if self.step and self.step.epoch == len(self.epochs) + first + 1:
            done += self.step.step
        total = (self.model.epochs - first) * self.model.steps_per_epoch
        return (time.monotonic() - self.began) * (total - done) / done if done else None

    def _bar(self, model: ModelReady) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        epoch = min(model.epochs, (self.epochs[-1].epoch if self.epochs else 0) + 1)
        step = self.step.step if self.step and self.step.epoch == epoch else 0
        left = self.seconds_left()
        remaining = "" if left is None else f"{int(left) // 60}:{int(left) % 60:02d} left"
        row = Table.grid(padding=(0, 2))
        row.add_row(
            f"epoch {epoch}/{model.epochs}",
            ProgressBar(total=model.steps_per_epoch, completed=step, width=30),
            f"step {step}/{model.steps_per_epoch}",
            remaining,
        )
        return row

    def _table(self) -> Table:
        names = shown_names(self.epochs[-1].logs)
        table = plain_table("epoch", *names, "seconds", "")
        for event in self.epochs[-ROWS_SHOWN:]:
            best = self.best is not None and event.epoch == self.best.epoch
            cells = [f"{event.logs[name]:.4g}" if name in event.logs else "" for name in names]
            table.add_row(
                str(event.epoch), *cells, f"{event.seconds:.2f}", "best" if best else "", style="bold" if best else ""
            )
        return table

    def _curve(self, metric: str) -> RenderableType:
        from rich.text import Text

        values = [event.logs[metric] for event in self.epochs if metric in event.logs]
        if len(values) < 2:
            return Text("")
        return Text.assemble(
            (f"{metric} ", "dim"), (curve(values), "cyan"), (f" {min(values):.4g} to {max(values):.4g}", "dim")
        )
