"""Curves of several runs over each other: validation against validation, as in the figures of the book."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.analysis._entries import Entry
from dlrun.analysis.compare import Comparison
from dlrun.config.dumping import flow
from dlrun.errors import RunDirError

MOST_LABEL = 60  # characters
MOST_NAMED = 3  # parameters that a label tells

Curves = dict[str, dict[str, list[float | None]]]


def curves(found: Comparison) -> Curves:
    """By metric, then by run: its values epoch by epoch. Of runs with a validation part those of validation.

    Metrics that only one run has are left out, and runs without a history.
    """
    names, histories = labels(found), {}
    for entry in found.entries:
        try:
            histories[names[entry.number]] = (entry, entry.run.history())
        except RunDirError:
            continue
    columns = dict.fromkeys(name for _, rows in histories.values() for row in rows for name in row)
    curves_: Curves = {}
    for column in columns:
        lines = {
            name: [row.get(column) for row in rows]
            for name, (entry, rows) in histories.items()
            if column.startswith("val_") == _validates(rows) and any(column in row for row in rows)
        }
        if len(lines) > 1 and column != "learning_rate":
            curves_[column] = lines
    return curves_


def _validates(rows: Sequence[dict[str, float]]) -> bool:
    return any(name.startswith("val_") for row in rows for name in row)


def labels(found: Comparison) -> dict[int, str]:
    """A name for each run by its number: the parameters that differ, or its id where they are many."""
    return {entry.number: f"{entry.number}: {_told(found, entry)}" for entry in found.entries}


def _told(found: Comparison, entry: Entry) -> str:
    values = {} if entry.problem else found.parameters_of(entry)
    text = ", ".join(f"{key.rpartition('.')[2]} {flow(value)}" for key, value in values.items())
    several = len({one.name for one in found.entries}) > 1
    if not values or len(values) > MOST_NAMED or len(text) > MOST_LABEL:
        return entry.name if several else entry.run.id
    return text
