"""What a dataset must be before anything is learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlrun.data._dataset import Arrays, Dataset
from dlrun.errors import DataError, PluginError, listing
from dlrun.spec import Task


def check_dataset(dataset: Dataset) -> None:
    """Raises DataError when the rows and targets a builder returned cannot be used, PluginError when they do not fit
    its own tasks.
    """
    if not dataset.rows:
        raise DataError(f"the dataset {dataset.name} has no rows")
    if dataset.targets.keys() != dataset.tasks.keys():
        raise PluginError(
            f"{dataset.name}: targets and tasks have different names",
            received=f"targets {listing(dataset.targets) or 'none'}; tasks {listing(dataset.tasks) or 'none'}",
        )
    both = set(dataset.raw) & set(dataset.shared)
    if both:
        raise PluginError(f"{dataset.name}: {listing(both)} is in raw and in shared")
    for name, array in {**dataset.raw, **dataset.targets}.items():
        if len(array) != dataset.rows:
            raise DataError(f"{dataset.name}: {name} has {len(array):,} rows, the data has {dataset.rows:,}")
    for name, targets in dataset.targets.items():
        _check_finite(dataset.name, name, targets)
        _check_labels(dataset.name, name, targets, dataset.tasks[name])


def check_sequence(dataset: Dataset, split: Mapping[str, Any]) -> None:
    """Raises DataError when rows that overlap, such as windows of a series, are to be divided in another way than the
    data's own parts.
    """
    if not dataset.in_sequence:
        return
    if split["fold"]:
        raise DataError(
            f"the rows of {dataset.name} overlap in time, so folds of them would not be apart",
            key=("split", "fold"),
            hint="compare several runs with other data.ranges instead",
        )
    if split["kind"] not in ("auto", "given"):
        raise DataError(
            f"the rows of {dataset.name} overlap in time, so they are divided by the data's own parts only",
            key=("split", "kind"),
            received=f"kind: {split['kind']}",
            expected="auto or given",
            hint="set data.validation, data.test or data.ranges",
        )
    if split["test"] is not None:
        raise DataError(
            f"the rows of {dataset.name} overlap in time, so the test part is not cut from them at random",
            key=("split", "test"),
            hint="set data.test or data.ranges",
        )


def _check_finite(dataset: str, name: str, targets: np.ndarray) -> None:
    if targets.dtype.kind != "f" or np.isfinite(targets).all():
        return
    wrong = np.argwhere(~np.isfinite(targets))
    raise DataError(
        f"{dataset}: the target {name} is not a finite number in {len(np.unique(wrong[:, 0])):,} rows",
        received=f"{targets[tuple(wrong[0])]} in row {int(wrong[0][0]) + 1}",
        hint="leave these rows out, or repair them",
    )


def _check_labels(dataset: str, name: str, targets: np.ndarray, task: Task) -> None:
    if task.kind not in ("binary", "multiclass") or task.one_hot:
        return
    found = np.unique(targets)
    if found[0] < 0 or found[-1] >= len(task.labels):
        raise DataError(
            f"{dataset}: the target {name} holds class {found[-1] if found[0] >= 0 else found[0]:g}",
            expected=f"0 to {len(task.labels) - 1}, for {len(task.labels)} labels",
        )


def check_classes(dataset: Dataset, training: np.ndarray) -> None:
    """Raises DataError when all rows, or all training rows, of a classification belong to one class."""
    for name, task in dataset.tasks.items():
        classes = class_codes(dataset.targets[name], task)
        if classes is None or len(np.unique(classes[training])) > 1:
            continue
        label = task.labels[int(classes[training[0]])]
        one = f"one class of {name}" if len(dataset.tasks) > 1 else "one class"
        if len(np.unique(classes)) == 1:
            raise DataError(
                f"{dataset.name}: all rows belong to {one}, {label!r}", expected="rows of at least two classes"
            )
        raise DataError(
            f"all {len(training):,} training rows belong to {one}, {label!r}",
            key=("split", "kind"),
            hint="the rows are ordered by class: use split.kind: stratified or shuffled",
        )


def check_rested(name: str, arrays: Arrays, rows: int) -> None:
    """Raises PluginError when an encoder returned per-row arrays that are not."""
    for key, array in arrays.items():
        if len(array) != rows:
            raise PluginError(
                f"{name}: the encoder returned {len(array):,} rows in {key} for {rows:,} rows",
                hint="an array that is not per row belongs into Dataset.shared, under the same name",
            )


def classes_of(dataset: Dataset) -> np.ndarray | None:
    """The class of each row `(rows,)` in the first task that has one class per row; None when no task has."""
    codes = (class_codes(dataset.targets[name], task) for name, task in dataset.tasks.items())
    return next((found for found in codes if found is not None), None)


def class_codes(targets: np.ndarray, task: Task) -> np.ndarray | None:
    """The class of each row `(rows,)`, int64, of a binary or multiclass task; None for others."""
    if task.kind not in ("binary", "multiclass"):
        return None
    return np.asarray(targets.argmax(axis=1) if task.one_hot else targets.reshape(len(targets)).astype("int64"))


def label_of(task: Task, target: np.ndarray) -> str:
    """One target as text: its class or labels, or up to four numbers."""
    codes = class_codes(np.asarray(target)[None], task)
    if codes is not None:
        return task.labels[int(codes[0])]
    numbers = np.asarray(target).reshape(-1).tolist()
    if task.kind == "multilabel":
        return " + ".join(label for label, has in zip(task.labels, numbers, strict=True) if has) or "none"
    return " ".join(f"{number:g}" for number in numbers[:4])
