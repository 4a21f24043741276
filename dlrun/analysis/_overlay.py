"""Curves of several runs over each other: validation against validation, as in the figures of the book."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlrun.analysis._entries import Entry
from dlrun.analysis.compare import Comparison
from dlrun.config.dumping import flow
from dlrun.errors import RunDirError
from dlrun.files import make_folder

MOST_LABEL = 60  # characters
MOST_NAMED = 3  # parameters that a label tells

MOST_DRAWN = 24  # runs in one picture; of more the first in the table, which are the best where they are ranked

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


def plot(found: Comparison, path: Path) -> list[str]:
    """Draw the curves as one PNG and return the metrics in it. Raises RunDirError when no metric is common to two runs,
    or the file cannot be written.
    """
    from dlrun.drawing import draw_overlaid

    overlaid = {name: dict(list(lines.items())[:MOST_DRAWN]) for name, lines in curves(found).items()}
    if not overlaid:
        raise RunDirError("there is no curve that two of these runs have", hint="runs that finished no epoch have none")
    make_folder(path.parent)
    try:
        draw_overlaid(overlaid, path, groups=groups_of(found))
    except OSError as error:
        raise RunDirError(f"{path} cannot be written: {error.strerror or error}") from error
    return list(overlaid)


def _validates(rows: Sequence[dict[str, float]]) -> bool:
    return any(name.startswith("val_") for row in rows for name in row)


def labels(found: Comparison) -> dict[int, str]:
    """A name for each run by its number: the parameters that differ, or its id where they are many."""
    return {entry.number: f"{entry.number}: {_told(found, entry)}" for entry in found.entries}


def groups_of(found: Comparison) -> dict[str, int]:
    """The place of each label's configuration, which runs with other seeds share."""
    names = labels(found)
    return {names[entry.number]: place for place, group in enumerate(found.groups) for entry in group.entries}


def _told(found: Comparison, entry: Entry) -> str:
    values = {} if entry.problem else found.parameters_of(entry)
    text = ", ".join(f"{key.rpartition('.')[2]} {flow(value)}" for key, value in values.items())
    several = len({one.name for one in found.entries}) > 1
    if not values or len(values) > MOST_NAMED or len(text) > MOST_LABEL:
        return entry.name if several else entry.run.id
    return text
