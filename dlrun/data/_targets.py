"""Target columns of a CSV file: the task they stand for, and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlrun.data._columns import numbers
from dlrun.data._csv_files import Table, is_number
from dlrun.errors import DataError, did_you_mean, listing
from dlrun.spec import Task

MOST_CLASSES = 20  # different whole numbers that still count as classes
ROWS_PER_CLASS = 5


@dataclass(frozen=True)
class Target:
    """A task with its name and columns; `guessed`: its kind was found, and `as_numbers` is how to ask for numbers."""

    name: str
    columns: list[str]
    task: Task
    guessed: bool = False
    as_numbers: str = "data.task: regression"


def check_filled(table: Table, names: Sequence[str], drop: bool) -> np.ndarray:
    """Whether each row has all its targets `(rows,)`. Raises DataError when one has not and `drop` is false."""
    missing = set(table.form.missing)
    filled = np.ones(table.rows, bool)
    for name in names:
        filled &= np.array([cell not in missing for cell in table.columns[name]])
    count = int((~filled).sum())
    if count == table.rows:
        raise DataError(f"{table.source}: the target {listing(names)} is missing in every row")
    if count and not drop:
        raise DataError(
            f"{table.place(int(np.argmin(filled)), listing(names))}: the target is missing in {count:,} rows",
            received="this is the first of them",
            hint="set data.drop_missing_target: true to leave these rows out",
        )
    return filled


def task_of(table: Table, name: str, wish: str, positive: str | None) -> Task:
    """The task a target column stands for: what the user wishes, or what its values suggest. Raises DataError."""
    column = [cell for cell in table.columns[name] if cell not in set(table.form.missing)]
    distinct = set(column)
    numeric = all(map(is_number, distinct))
    if wish == "auto":
        wish = _guess(table, name, column, distinct) if numeric else "multiclass" if len(distinct) > 2 else "binary"
    if wish == "regression":
        return Task("regression")
    labels = sorted(distinct, key=float) if numeric else sorted(distinct)
    if len(labels) < 2:
        raise DataError(
            f"{table.source}: all rows have the same target {name}: {labels[0]!r}", expected="at least two classes"
        )
    if wish == "binary":
        if len(labels) != 2:
            raise DataError(
                f"{table.source}: the target {name} has {len(labels):,} different values, not two",
                key=("data", "task"),
                received=listing(labels, 5),
                hint="task: multiclass",
            )
        labels = _with_positive_last(labels, positive)
    elif len(labels) > 0.5 * len(column) and len(labels) > MOST_CLASSES:
        raise DataError(
            f"{table.source}: the target {name} has {len(labels):,} different values in {len(column):,} rows",
            received=listing([repr(label[:30]) for label in labels], 3),
            hint="is this the right column? each class needs several rows",
        )
    return Task("binary" if wish == "binary" else "multiclass", labels=tuple(labels))


def _guess(table: Table, name: str, column: Sequence[str], distinct: set[str]) -> str:
    if len(distinct) == 2:
        return "binary"
    whole = all(float(cell).is_integer() for cell in distinct)
    classes = whole and 2 < len(distinct) <= MOST_CLASSES and len(column) >= ROWS_PER_CLASS * len(distinct)
    if len(distinct) == 1:
        raise DataError(f"{table.source}: all rows have the same target {name}: {column[0]!r}")
    return "multiclass" if classes else "regression"


def _with_positive_last(labels: list[str], positive: str | None) -> list[str]:
    if positive is None:
        return labels
    if positive not in labels:
        raise DataError(
            f"there is no label {positive!r}",
            key=("data", "positive"),
            expected=listing(labels),
            hint=did_you_mean(positive, labels),
        )
    return [label for label in labels if label != positive] + [positive]


def class_codes(table: Table, name: str, labels: Sequence[str], aliases: Mapping[str, str]) -> np.ndarray:
    """The place of each row's label `(rows,)`, int32, -1 where missing.

    Raises DataError at a label that training does not have.
    """
    known = {label: code for code, label in enumerate(labels)} | dict.fromkeys(table.form.missing, -1)
    codes = np.empty(table.rows, "int32")
    for row, cell in enumerate(table.columns[name]):
        code = known.get(aliases.get(cell, cell))
        if code is None:
            raise DataError(
                f"{table.place(row, name)}: the label {cell!r} does not occur in training",
                expected=listing(labels),
            )
        codes[row] = code
    return codes


def one_task_each(table: Table, wishes: Mapping[str, str], task: str, positive: str | None) -> list[Target]:
    """A task for each column of `wishes`, which has the task wished for it. Raises DataError."""
    if task != "auto":
        raise DataError(
            "data.target has a task for each column, and data.task is there, too", key=("data", "task"), received=task
        )
    with_label = [name for name in wishes if positive in table.columns[name]]
    if positive is not None and not with_label:
        raise DataError(f"no target has the label {positive!r}", key=("data", "positive"), received=listing(wishes))
    return [
        Target(
            name,
            [name],
            task_of(table, name, wish, positive if name in with_label else None),
            guessed=wish == "auto",
            as_numbers=f"data.target: {{{name}: regression}}",
        )
        for name, wish in wishes.items()
    ]


def one_task(table: Table, names: Sequence[str], wish: str, positive: str | None) -> Target:
    """The task of one target column, or of several together. Raises DataError."""
    if len(names) == 1:
        if wish == "multilabel":
            raise DataError("task: multilabel needs several target columns", key=("data", "target"))
        return Target(names[0], list(names), task_of(table, names[0], wish, positive), guessed=wish == "auto")
    return Target("targets", list(names), _task_together(table, names, wish))


def _task_together(table: Table, names: Sequence[str], wish: str) -> Task:
    if wish in ("binary", "multiclass"):
        raise DataError(
            f"task: {wish} has one target column",
            key=("data", "target"),
            received=listing(names),
            expected="multilabel (columns of 0 and 1) or regression for several",
        )
    if wish != "regression":
        flags = all(set(table.columns[name]) - set(table.form.missing) <= {"0", "1"} for name in names)
        if flags:
            return Task("multilabel", labels=tuple(names))
        if wish == "multilabel":
            raise DataError(
                f"{table.source}: the columns of a multilabel target hold 0 and 1 only", key=("data", "target")
            )
    return Task("regression", outputs=len(names))


def target_values(table: Table, names: Sequence[str], task: Task, aliases: Mapping[str, str]) -> np.ndarray:
    """Targets in the form that `Dataset` asks for; -1 or NaN where missing. Raises DataError."""
    if task.kind == "binary":
        return class_codes(table, names[0], task.labels, aliases).astype("float32")
    if task.kind == "multiclass":
        return class_codes(table, names[0], task.labels, aliases)
    values = np.column_stack([numbers(table, name, "choose another data.task") for name in names]).astype("float32")
    return values if len(names) > 1 else values[:, 0]


def label_aliases(table: Table, name: str, task: Task) -> dict[str, str]:
    """Labels that match one of training without a trailing full stop, as in Adult's test file."""
    if not task.labels or task.kind == "multilabel":
        return {}
    new = set(table.columns[name]) - set(task.labels) - set(table.form.missing)
    return {label: label.rstrip(".") for label in new if label.rstrip(".") in task.labels}
