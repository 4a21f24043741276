"""Pieces of an HTML page. Whatever is not markup already is escaped, so that no name or label of a run can act."""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from dlrun.errors import visible
from dlrun.files import number

_VOID = ("meta", "img", "line", "path", "rect", "circle", "br")
_NUMBER = (int, float)
SHORT = 24  # characters of a cell that stay in one line


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


NOTHING = Html("")


def el(name: str, /, *children: Any, **attributes: Any) -> Html:
    """An element. Attributes lose a `_` at their end (`class_`) and have `-` for others; None leaves one out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{told}>" if name in ("meta", "img", "br") else f"<{name}{told}/>")
    return Html(f"<{name}{told}>{join(children)}</{name}>")


def join(children: Iterable[Any]) -> Html:
    """What stands side by side; None stands for nothing."""
    return Html("".join(_markup(child) for child in children if child is not None))


def _markup(child: Any) -> str:
    return child if isinstance(child, Html) else html.escape(visible(str(child)))


def table(caption: str, heads: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Html:
    """A table that scrolls inside its own frame where it is too wide; the first cell of each row is its head."""
    if not rows:
        return NOTHING
    numeric = [all(_is_number(row[place]) for row in rows) for place in range(len(heads))]
    top = [
        el("th", head, scope="col", class_="n" if right else None) for head, right in zip(heads, numeric, strict=True)
    ]
    lines = [
        el("tr", *(_cell(place, cell, right) for place, (cell, right) in enumerate(zip(row, numeric, strict=True))))
        for row in rows
    ]
    whole = el("table", el("caption", caption), el("thead", el("tr", *top)), el("tbody", *lines))
    return frame(caption, whole)


def frame(label: str, content: Html) -> Html:
    """A part that scrolls sideways by itself, also by the keyboard."""
    return el("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")


def _cell(place: int, cell: Any, right: bool) -> Html:
    text = figure(cell) if isinstance(cell, float) or cell is None else f"{cell:,}" if type(cell) is int else cell
    kind = "n" if right else None if isinstance(text, Html) else "short" if len(str(text)) <= SHORT else "long"
    return el("th", text, scope="row", class_=kind) if place == 0 else el("td", text, class_=kind)


def _is_number(cell: Any) -> bool:
    return (
        cell is None
        or cell == ""
        or (isinstance(cell, _NUMBER) and not isinstance(cell, bool))
        or isinstance(cell, Figure)
    )


class Figure(str):
    """A text that stands in a column of numbers: `0.9 ± 0.1`."""

    __slots__ = ()


def figure(value: Any) -> str:
    """A measured number as text; empty when there is none."""
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        return "" if value is None else str(value)
    return number(value) if math.isfinite(value) else "not finite"


def interval(bounds: Sequence[Any]) -> Figure:
    """`0.1 to 0.2`; empty where there is none."""
    known = [bound for bound in map(real, bounds) if bound is not None]
    return Figure(" to ".join(map(number, known)) if len(known) == 2 else "")


def facts(rows: Iterable[tuple[str, Any]]) -> Html:
    """Labels with their values; what is empty is left out."""
    shown = [el("div", el("dt", label), el("dd", value)) for label, value in rows if value not in (None, "")]
    return el("dl", *shown, class_="facts") if shown else NOTHING


def folded(title: str, *content: Any) -> Html:
    """What is shown when asked for; nothing without content."""
    inside = join(content)
    return el("details", el("summary", title), inside) if inside else NOTHING


def listed(lines: Iterable[Any]) -> Html:
    """A list; nothing without lines."""
    items = [el("li", line) for line in lines]
    return el("ul", *items) if items else NOTHING


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one: files of a run may be damaged, or from elsewhere."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Those entries of a list that are mappings."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def real(value: Any) -> float | None:
    """The value if it is a finite number."""
    good = isinstance(value, _NUMBER) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return float(value) if good else None
