"""Arrays of targets: the task they stand for, and their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlrun.errors import DataError, listing
from dlrun.spec import Task

MOST_CLASSES = 1000  # different whole numbers that still count as classes
SURE_CLASSES = 20  # up to here nothing is said about it
KINDS = "biufU"


def targets_of(place: str, values: np.ndarray, wish: str, labels: Sequence[str]) -> tuple[np.ndarray, Task, str | None]:
    """Targets in the form of `Dataset`, their task (`auto`: found from the values), and a note if there was a choice.

    Whole numbers and texts `(rows,)` are classes, floats numbers; rows of zeros with a single one are one-hot classes,
    other rows of zeros and ones several labels, and all other rows numbers. Raises DataError, naming `place`.
    """
    if values.dtype.kind not in KINDS:
        raise DataError(
            f"{place}: the targets are neither numbers nor texts",
            received=f"dtype {values.dtype}",
            expected="an array of numbers or texts, saved without Python objects",
        )
    values = values.reshape(len(values)) if values.shape[1:] == (1,) else values
    if values.ndim > 2:
        raise DataError(
            f"{place}: the targets have too many axes",
            received=f"shape {values.shape}",
            expected="(rows,) or (rows, outputs)",
        )
    if values.ndim == 2:
        found, task = _rows(place, values, wish)
        return found, _named(place, task, labels), None
    note = None
    if wish == "auto":
        wish, note = _guess(values)
    if wish == "multilabel":
        raise _unfit(place, values, wish, "rows of zeros and ones (rows, labels)")
    if wish == "regression":
        if values.dtype.kind == "U":
            raise _unfit(place, values, wish, "numbers")
        return values.astype("float32"), Task("regression"), note
    found, task = _classes(place, values, wish)
    return found, _named(place, task, labels), note


def _guess(values: np.ndarray) -> tuple[str, str | None]:
    """The task of `(rows,)`, and a note when another one could be meant."""
    distinct = np.unique(values)
    if values.dtype.kind == "f":
        if distinct.tolist() == [0, 1]:
            return "binary", None
        return "regression", None
    if len(distinct) <= 2:
        return "binary", None
    if values.dtype.kind == "U" or len(distinct) <= SURE_CLASSES:
        return "multiclass", None
    if len(distinct) > MOST_CLASSES or 2 * len(distinct) > len(values):
        return "regression", f"{len(distinct):,} different whole numbers are read as numbers, not as classes"
    return "multiclass", f"the target is read as {len(distinct):,} classes; for numbers: data.task: regression"


def _classes(place: str, values: np.ndarray, wish: str) -> tuple[np.ndarray, Task]:
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.floor(values)).all()):
        raise _unfit(place, values, wish, "whole numbers or texts")
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        raise DataError(
            f"{place}: all {len(values):,} rows have the same target, {distinct[0]}", expected="at least two classes"
        )
    if wish == "binary" and len(distinct) != 2:
        raise DataError(
            f"{place}: the target has {len(distinct):,} different values, not two",
            key=("data", "task"),
            received=listing(map(str, distinct[:6]), 5),
            hint="task: multiclass",
        )
    names = tuple(str(value if values.dtype.kind == "U" else int(value)) for value in distinct)
    return codes.reshape(-1).astype("float32" if wish == "binary" else "int32"), Task(
        "binary" if wish == "binary" else "multiclass", labels=names
    )


def _rows(place: str, values: np.ndarray, wish: str) -> tuple[np.ndarray, Task]:
    """Targets `(rows, outputs)`."""
    if values.dtype.kind == "U" or wish == "binary":
        raise _unfit(place, values, wish, "one value in a row (rows,)")
    ones = bool(((values == 0) | (values == 1)).all())
    single = ones and bool((values.sum(axis=1) == 1).all())
    if wish == "auto":
        wish = "multiclass" if single else "multilabel" if ones else "regression"
    names = tuple(map(str, range(values.shape[1])))
    found = values.astype("float32")
    if wish == "regression":
        return found, Task("regression", outputs=values.shape[1])
    if not (single if wish == "multiclass" else ones):
        first = int(np.argmax((values.sum(axis=1) != 1) | ((values != 0) & (values != 1)).any(axis=1)))
        raise _unfit(
            f"{place}, row {first + 1}",
            values,
            wish,
            "zeros and a single one in each row" if wish == "multiclass" else "zeros and ones",
        )
    return found, Task(
        "multiclass" if wish == "multiclass" else "multilabel", labels=names, one_hot=wish == "multiclass"
    )


def _named(place: str, task: Task, labels: Sequence[str]) -> Task:
    if not labels:
        return task
    if len(labels) != len(task.labels) or len(set(labels)) != len(labels):
        raise DataError(
            f"{place}: data.labels does not name each class once",
            key=("data", "labels"),
            received=f"{len(labels)}: {listing(labels)}",
            expected=f"{len(task.labels)} names, for {listing(task.labels) or 'no class'}",
        )
    return Task(task.kind, labels=tuple(labels), one_hot=task.one_hot)


def _unfit(place: str, values: np.ndarray, wish: str, expected: str) -> DataError:
    return DataError(
        f"{place}: these targets are not what task: {wish} needs",
        key=("data", "task"),
        received=f"{values.dtype}, shape {values.shape}",
        expected=expected,
    )
