"""A report read back: its tables, links, texts and tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br"}


@dataclass
class Table:
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    scopes: list[str | None] = field(default_factory=list)

    @property
    def heads(self):
        return self.rows[0]

    def row(self, name):
        """The cells of a row by their heads."""
        return next(dict(zip(self.heads, row, strict=True)) for row in self.rows[1:] if row[0] == name)


class Page(HTMLParser):
    """What a page holds. `attributes` are those of each tag in order; an unclosed tag is an error."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.tables, self.texts = [], [], [], []
        self._open = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("td", "th"):
            self.tables[-1].rows[-1].append("")
            if tag == "th":
                self.tables[-1].scopes.append(dict(attrs).get("scope"))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, tag
        assert self._open.pop() == tag, tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.texts.append(data)
        if "caption" in self._open:
            self.tables[-1].caption += data
        elif {"td", "th"} & set(self._open):
            self.tables[-1].rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(self.texts)

    def table(self, beginning):
        """The table whose caption begins so."""
        return next(table for table in self.tables if table.caption.startswith(beginning))

    def values(self, attribute, tag=None):
        """An attribute of each tag that has it."""
        return [found[attribute] for name, found in self.attributes if attribute in found and tag in (None, name)]
