"""The whole page: head with the rules that keep it off the network, header, sections in order."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from dlrun import __version__
from dlrun.errors import DlrunError
from dlrun.report._markup import NOTHING, Html, el, facts, join

_UNREADABLE = (DlrunError, KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, OSError)


@dataclass(frozen=True)
class Section:
    """A part of the page that has something to say."""

    anchor: str
    title: str
    content: Html


@dataclass(frozen=True)
class Top:
    """What stands first: the name, how it ended, the verdict in a sentence or two, a few facts."""

    name: str
    under: str
    status: str
    verdict: Sequence[Any]
    facts: Iterable[tuple[str, Any]]


def part(anchor: str, title: str, make: Callable[..., Html], *arguments: Any) -> Section | None:
    """A section; None when there is nothing to show. What a damaged file hides is told, not raised."""
    try:
        content = make(*arguments)
    except _UNREADABLE as error:
        told = error.problems[0].message if isinstance(error, DlrunError) else f"{type(error).__name__}: {error}"
        content = el("p", f"This part cannot be read: {told}", class_="note bad")
    return Section(anchor, title, content) if content else None


def page(top: Top, sections: Sequence[Section | None]) -> str:
    """The file's text."""
    style, script = (
        files("dlrun.report").joinpath(f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js")
    )
    shown = [section for section in sections if section is not None]
    rules = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=rules),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", f"{top.name} · dlrun report"),
        el("style", Html(style)),
    )
    body = el(
        "body",
        el("a", "To the content", href="#content", class_="skip"),
        _header(top, shown),
        el("main", *(_section(one) for one in shown), id="content"),
        el("footer", f"Written by dlrun {__version__}. This file needs no network."),
        el("script", Html(script)),
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _header(top: Top, sections: Sequence[Section]) -> Html:
    title = el("h1", top.name, " ", el("span", top.status, class_=f"status {top.status.partition(':')[0]}"))
    links = [el("a", one.title, href=f"#{one.anchor}") for one in sections]
    return el(
        "header",
        title,
        el("p", top.under, class_="under"),
        *(el("p", sentence, class_="verdict") for sentence in top.verdict),
        facts(top.facts),
        el("nav", *links, aria_label="Contents") if links else NOTHING,
    )


def _section(one: Section) -> Html:
    heading = el("h2", one.title, id=f"{one.anchor}-title")
    return el("section", heading, one.content, id=one.anchor, aria_labelledby=f"{one.anchor}-title")


def paragraphs(texts: Iterable[Any], class_: str | None = None) -> Html:
    """One paragraph for each text."""
    return join(el("p", text, class_=class_) for text in texts)
