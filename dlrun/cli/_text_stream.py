"""Texts on stdout while they come."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlrun.errors import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.live import Live


class TextStream:
    """Shows texts by their titles as their pieces come: on a terminal the ends of all of them at once, elsewhere the
    first one. `end`, once all have come, leaves them there as they are. Control characters are written out.
    """

    def __init__(self) -> None:
        self._stdout = sys.stdout  # now: while a plugin may print, stdout is stderr
        self._texts: dict[str, str] = {}
        self._live: Live | None = None

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live:
            self._live.stop()  # the terminal gets its cursor back, also after an error

    def __call__(self, title: str, piece: str) -> None:
        first = not self._texts
        self._texts[title] = self._texts.get(title, "") + visible(piece)
        if self._stdout.isatty():
            self._live = self._live or self._begun()
        elif title == next(iter(self._texts)):
            self._write(f"--- {title}\n" * first + visible(piece))

    def end(self, texts: Mapping[str, str]) -> None:
        """Print what is not there yet; `texts` are all, the streamed ones among them."""
        printed = None if self._live else next(iter(self._texts), None)
        if printed is not None:
            self._write("\n")
        for title, text in texts.items():
            if title != printed:
                self._write(f"--- {title}\n{visible(text)}\n")

    def _begun(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stdout, highlight=False, emoji=False)
        live = Live(_Ends(self._texts), console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        live.start()
        return live

    def _write(self, text: str) -> None:
        self._stdout.write(text)
        self._stdout.flush()


class _Ends:
    """The ends of texts, each as one paragraph, as much of them as fits the terminal."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> list[RenderableType]:
        from rich.text import Text

        rows = max(1, console.height // max(1, len(self._texts)) - 2)
        room = rows * (options.max_width - 1)
        return [Text(f"--- {title}\n{' '.join(text.split())[-room:]}") for title, text in [*self._texts.items()]]
