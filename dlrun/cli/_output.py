"""How verbs print: results on stdout, everything else on stderr, `--json` as exactly one object."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import typer

from dlrun.errors import DlrunError, visible
from dlrun.files import json_text
from dlrun.files import number as number

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_COPIED = ("run", "study", "resume", "next", "file")  # labels of paths and commands
_APART = " " * 4  # between commands
_CARETS = re.compile(r" +\| +\^+")


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json_text(value))


def echo(text: str = "", *, err: bool = False) -> None:
    """One line or more on stdout, or stderr. Control characters that files put into it are written out."""
    typer.echo(visible(text), err=err)  # noqa: TID251 - the one place


def note(text: str) -> None:
    """A remark on stderr."""
    err().print(f"note: {text}", style="yellow", markup=False)


def show(renderable: RenderableType) -> None:
    """Print a Rich renderable on stdout; without the padding of table cells when it goes to a file or a pipe."""
    console = _console(sys.stdout)
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def width() -> int:
    """Columns that a line on stdout may have."""
    return _console(sys.stdout).width


def error_text(error: DlrunError) -> str:
    """An error as it is told on stderr, in the width of a terminal."""
    return folded(str(error), err().width) if sys.stderr.isatty() else str(error)


def folded(text: str, columns: int) -> str:
    """The text of an error in so many columns: lists of names break between words, of long quotations a part is shown.

    Other lines stay whole: hints may be commands, to be copied.
    """
    from textwrap import wrap

    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("  expected  "):
            lines += wrap(line, columns, subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False)
        elif _CARETS.fullmatch(line) and lines:
            lines[-1:] = _quotation(lines[-1], line, columns)
        else:
            lines.append(line)
    return "\n".join(lines)


def _quotation(quoted: str, carets: str, columns: int) -> list[str]:
    """A quoted line and the carets below it, both without what would not fit before and after the carets."""
    if len(quoted) <= columns:
        return [quoted, carets]
    gutter = quoted.index("| ") + 2
    room = columns - gutter
    first = carets.index("^")
    begin = max(gutter, min(first - room // 3, len(quoted) - room))
    part = quoted[begin : begin + room]
    if begin > gutter:
        part = "..." + part[3:]
    if begin + room < len(quoted):
        part = part[:-3] + "..."
    return [quoted[:gutter] + part, (carets[:gutter] + carets[begin:])[:columns]]


def err() -> Console:
    """Rich console on stderr."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    """As wide as the terminal; wide enough for any table when the output goes to a file or a pipe."""
    from dlrun.cli._console import EscapingConsole

    return EscapingConsole(file=stream, highlight=False, emoji=False, width=None if stream.isatty() else 200)


def plain_table(*headings: str, left: tuple[str, ...] = (), whole: tuple[str, ...] = ()) -> Table:
    """A table without lines; columns are aligned to the right but those named in `left`. Cells are never cut.

    On a narrow terminal the columns in `left` break into lines, but those in `whole`: what shall be copied.

    Headings are shown as they are, cells may have markup.
    """
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=bool(headings))
    for heading in headings:
        table.add_column(
            escape(heading),
            justify="left" if heading in left else "right",
            no_wrap=heading not in left or heading in whole,
            overflow="fold",
        )
    return table


def fits(table: Table) -> bool:
    """Whether no cell of the table needs to break into lines."""
    console = _console(sys.stdout)
    return bool(console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width)


def show_labels(rows: Sequence[tuple[str, str]]) -> None:
    """Labels and what they say, in two columns, on stdout.

    Paths and commands that do not fit beside their label get lines of their own, which only the terminal breaks: from
    there they are copied whole. Commands in a row stand four blanks apart.
    """
    from rich.text import Text

    console = _console(sys.stdout)
    widest = max((Text.from_markup(label).cell_len for label, _ in rows), default=0)
    for label, text in rows:
        room = console.width - widest - 2
        if label not in _COPIED or Text.from_markup(text).cell_len <= room:
            show(_label_row(label, text, widest))
            continue
        parts = text.split(_APART)
        for place, part in enumerate(parts):
            lead = label if place == 0 else " " * len(label)
            console.print(f"[dim]{lead}[/]  {part}", soft_wrap=True)


def _label_row(label: str, text: str, widest: int) -> Table:
    table = plain_table()
    table.add_column(no_wrap=True, style="dim", min_width=widest)
    table.add_column(overflow="fold")
    table.add_row(label, text)
    return table
