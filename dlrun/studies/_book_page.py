"""What a book states, listing by listing, with the command that runs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from dlrun.expectations import stated_text
from dlrun.studies._claims import Claim

_LISTING = re.compile(r"listings? (\d+)-(\d+)")
_SECTION = re.compile(r"\b([1-9]\d*(?:\.\d+)+)")  # 0.96 is a score
_HEAD = """# What the book states

Each result that the source of a shipped config states (*DLwP*: F. Chollet, *Deep Learning with Python*, first
edition), and the command that runs it. `dlrun reproduce` runs them all and compares; what came out is in
`docs/book-results.md`.

Written by `{command}`; do not edit.

| listing | section | stated | command | source |
| --- | --- | --- | --- | --- |
"""


def book_page(claims: Sequence[Claim], patterns: Sequence[str]) -> str:
    """A Markdown page: one line for each stated result, in the order of the book."""
    command = shlex.join(["dlrun", "reproduce", *patterns, "--docs"])
    lines = [_line(claim) for claim in sorted(claims, key=_place)]
    return _HEAD.format(command=command) + "".join(f"| {line} |\n" for line in lines)


def _line(claim: Claim) -> str:
    listing, section = _LISTING.search(claim.expect.source), _SECTION.search(claim.expect.source)
    verb = "kfold" if claim.own[0].folded else "train"
    seeds = f", {len(claim.own)} seeds" if len(claim.own) > 1 else ""
    cells = (
        f"{listing[1]}-{listing[2]}" if listing else "",
        section[1] if section else "",
        stated_text(claim.expect) + seeds,
        f"`dlrun {verb} {claim.name}`",
        claim.expect.source,
    )
    return " | ".join(cell.replace("|", "\\|") for cell in cells)


def _place(claim: Claim) -> tuple[list[int], list[int], str]:
    """Where in the book: by section, then by listing."""
    listing, section = _LISTING.search(claim.expect.source), _SECTION.search(claim.expect.source)
    numbers = [int(part) for part in section[1].split(".")] if section else [999]
    return numbers, [int(part) for part in listing.groups()] if listing else [999], claim.name
