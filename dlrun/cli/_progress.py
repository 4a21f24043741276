"""What a run looks like while it goes on: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dlrun.cli._output import echo, err, plain_table
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
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 48
BAR_WIDTH = 30
LEAST_BAR = 5
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
        echo(line, err=True)


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
        """The whole display, in the width there is."""
        return _Fitting(self._drawn)

    def _drawn(self, width: int) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [Text(line, style="dim") for line in self.lines]
        if self.model:
            parts.append(self._bar(self.model, width))
            if self.epochs:
                parts += [self._table(width), self._curve(self.model.monitor, width)]
        return Group(*parts)

    def leave_behind(self) -> None:
        """What stays on the screen when the display is gone: the head lines and the curve."""
        from rich.text import Text

        console = err()
        for line in self.lines:
            console.print(Text(line, style="dim"))
        if self.model and self.epochs:
            console.print(self._table(console.width))
            console.print(self._curve(self.model.monitor, console.width))

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

    def _bar(self, model: ModelReady, width: int) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table

        epoch = min(model.epochs, (self.epochs[-1].epoch if self.epochs else 0) + 1)
        step = self.step.step if self.step and self.step.epoch == epoch else 0
        left = self.seconds_left()
        remaining = "" if left is None else f"{int(left) // 60}:{int(left) % 60:02d} left"
        texts = [f"epoch {epoch}/{model.epochs}", f"step {step}/{model.steps_per_epoch}", remaining]
        if sum(len(text) + 2 for text in texts) > width:
            del texts[1]
        room = min(BAR_WIDTH, width - sum(len(text) + 2 for text in texts))
        cells: list[RenderableType] = list(texts)
        if room >= LEAST_BAR:
            cells.insert(1, ProgressBar(total=model.steps_per_epoch, completed=step, width=room))
        row = Table.grid(*(Column(no_wrap=True) for _ in cells), padding=(0, 2), pad_edge=False)
        row.add_row(*cells)
        return row

    def _table(self, width: int) -> Table:
        shown = self.epochs[-ROWS_SHOWN:]
        names = shown_names(self.epochs[-1].logs)
        columns = {name: [f"{event.logs[name]:.4g}" if name in event.logs else "" for event in shown] for name in names}
        columns["seconds"] = [f"{event.seconds:.2f}" for event in shown]
        least = len("epoch") + len("  best")
        widths = {name: 2 + max(map(len, [name, *cells])) for name, cells in columns.items()}
        for name in self._least_wanted(names):
            if least + sum(widths.values()) > width:
                del columns[name], widths[name]
        table = plain_table("epoch", *columns, "")
        for place, event in enumerate(shown):
            best = self.best is not None and event.epoch == self.best.epoch
            cells = [column[place] for column in columns.values()]
            table.add_row(str(event.epoch), *cells, "best" if best else "", style="bold" if best else "")
        return table

    def _least_wanted(self, names: list[str]) -> list[str]:
        """What a narrow terminal can do without: seconds first, then training metrics, never the monitored one."""
        monitor = self.model.monitor if self.model else ""
        return ["seconds", *sorted((n for n in reversed(names) if n != monitor), key=lambda n: n.startswith("val_"))]

    def _curve(self, metric: str, width: int) -> RenderableType:
        from rich.text import Text

        values = [event.logs[metric] for event in self.epochs if metric in event.logs]
        if len(values) < 2:
            return Text("")
        span = f" {min(values):.4g} to {max(values):.4g}"
        room = min(CURVE_WIDTH, width - len(metric) - 1 - len(span))
        if room < LEAST_BAR:
            room, span = max(LEAST_BAR, width - len(metric) - 1), ""
        return Text.assemble((f"{metric} ", "dim"), (curve(values, room), "cyan"), (span, "dim"))


class _Fitting:
    """Something for Rich that is drawn anew in the width there is."""

    def __init__(self, draw: Callable[[int], RenderableType]) -> None:
        self.draw = draw

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield self.draw(options.max_width)
