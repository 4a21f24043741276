"""The table of stated against measured results as Markdown and JSON."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dlrun.files import make_folder, write_json, write_text
from dlrun.studies._costs import duration
from dlrun.studies._stated_rows import BAD, DATA_MISSING, FAIL, FAILED, NOT_JUDGED, NOT_MEASURED, NOT_RUN, PASS, Row

FORMAT = 1
_ORDER = (PASS, FAIL, FAILED, NOT_MEASURED, NOT_JUDGED, NOT_RUN, DATA_MISSING)
_HEADINGS = ("config", "stated", "measured", "deviation", "verdict", "seconds", "source")


def write_tables(path: Path, rows: Sequence[Row], about: Mapping[str, Any]) -> None:
    """Write `path` (Markdown) and, beside it, the same as JSON; each is complete at any moment. Raises OSError."""
    make_folder(path.parent)
    write_text(path, markdown(rows, about))
    write_json(path.with_suffix(".json"), as_values(rows, about))


def as_values(rows: Sequence[Row], about: Mapping[str, Any]) -> dict[str, Any]:
    """The table as JSON values."""
    return {"format": FORMAT, **about, "counts": counts(rows), "rows": [row.as_dict() for row in rows]}


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many rows have each verdict; only verdicts that occur."""
    found = Counter(row.verdict for row in rows)
    return {verdict: found[verdict] for verdict in _ORDER if found[verdict]}


def summary(rows: Sequence[Row]) -> str:
    """`12 pass, 1 fail, 3 not run`."""
    return ", ".join(f"{count} {verdict}" for verdict, count in counts(rows).items())


def failing(rows: Sequence[Row]) -> list[Row]:
    """The rows for which the work counts as failed."""
    return [row for row in rows if row.verdict in BAD]


def markdown(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """A page with the table and what it rests on."""
    now = datetime.now().astimezone().isoformat(timespec="minutes")
    head = [
        f"`{shlex.join(about.get('command') or ['dlrun', 'reproduce'])}`, {now}, scale {about.get('scale', 'full')}, "
        f"{_versions(about)}: {summary(rows)}.",
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "| --- | --- | ---: | ---: | --- | ---: | --- |",
    ]
    lines = ["| " + " | ".join(map(_escaped, cells(row))) + " |" for row in rows]
    return "\n".join([*head, *lines, ""])


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, in the order of the headings."""
    verdict = row.verdict + (f": {row.note}" if row.note else "")
    seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
    return (row.config, row.stated, measured_text(row), deviation_text(row), verdict, seconds, row.source)


def measured_text(row: Row) -> str:
    """The measured value; with its spread over several runs, and what an order compares it with."""
    if row.measured is None:
        return ""
    text = short_number(row.measured)
    if row.spread is not None:
        text += f" (s {short_number(row.spread)}, {row.seeds} seeds)"
    return text if row.level is None else f"{text} against {short_number(row.level)}"


def deviation_text(row: Row) -> str:
    """Measured minus stated, with its sign."""
    if row.deviation is None:
        return ""
    text = short_number(abs(row.deviation))
    return text if not float(text.replace(",", "")) else ("+" if row.deviation > 0 else "-") + text


def short_number(value: float) -> str:
    """Four decimals where there are any, whole numbers as such."""
    return f"{value:,.0f}" if value == int(value) else f"{value:.4f}"


def cost_text(seconds: float, *, measured: bool) -> str:
    """What a run will take: `about` where that is a guess."""
    return duration(seconds) if measured else f"about {duration(seconds)}"


def _versions(about: Mapping[str, Any]) -> str:
    known = about.get("versions") or {}
    return ", ".join(f"{name} {known[name]}" for name in ("keras", "tensorflow") if name in known)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
