"""A page with the words of a text, coloured by what they say for a class; one file, no script, no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.errors import visible
from dlrun.files import write_text

if TYPE_CHECKING:
    from dlrun.explain.words import Word

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.9 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.1rem; }} h2 {{ font-size: 0.95rem; margin-top: 2rem; }}
span {{ padding: 0.1em 0.15em; border-radius: 3px; }}
p.note {{ font-size: 0.85rem; line-height: 1.4; opacity: 0.8; }}
</style></head><body>
<h1>{title}</h1>
<p class="note">Blue words speak for it, orange ones against it; the pointer shows the number of a word ({unit}).</p>
<h2>Gradient x input</h2><p>{by_gradient}</p>
<h2>Each word left out</h2><p>{by_leaving_out}</p>
<p class="note">{agreement}</p>
</body></html>
"""


def write_page(path: Path, title: str, words: Sequence[Word], agreement: float | None, unit: str) -> None:
    """The words twice: coloured by their attribution, and by what the class loses without them. `agreement` is the
    correlation of both, None when there is none to tell.
    """
    told = "unknown" if agreement is None else f"{agreement:.2f}"
    text = _PAGE.format(
        title=_shown(title),
        unit=unit,
        by_gradient=_coloured(words, lambda word: word.attribution),
        by_leaving_out=_coloured(words, lambda word: word.left_out),
        agreement=f"Correlation of both: {told}. Where it is low, trust the second: it is what the model does.",
    )
    write_text(path, text)


def _coloured(words: Sequence[Word], value: Callable[[Word], float]) -> str:
    largest = max((abs(value(word)) for word in words), default=0) or 1.0
    return " ".join(_span(word.text, value(word), abs(value(word)) / largest) for word in words)


def _span(text: str, value: float, share: float) -> str:
    colour = "37,99,235" if value > 0 else "234,88,12"
    return f'<span style="background:rgba({colour},{0.75 * share:.3f})" title="{value:+.4g}">{_shown(text)}</span>'


def _shown(text: str) -> str:
    return escape(visible(text))
