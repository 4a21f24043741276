"""Data brought to the labels and the scales that a run has learned, for its evaluation and prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlrun.data._checks import class_codes
from dlrun.data._dataset import Dataset
from dlrun.data._saved import Saved
from dlrun.errors import DataError, listing
from dlrun.spec import Task


def with_fitted(dataset: Dataset, fitted: Saved) -> Dataset:
    """The dataset with the encoder and the tasks of a run; targets follow the run's order of labels.

    Raises DataError when a label or a task is not one of the run's.
    """
    if dataset.tasks.keys() != fitted.spec.tasks.keys():
        raise DataError(
            f"{dataset.name}: the data has other targets than the run was trained on",
            received=listing(dataset.tasks) or "none",
            expected=listing(fitted.spec.tasks) or "none",
        )
    targets = {
        name: _as_known(f"{dataset.name}: the target {name}", values, dataset.tasks[name], fitted.spec.tasks[name])
        for name, values in dataset.targets.items()
    }
    return replace(dataset, encoder=fitted.encoder, tasks=dict(fitted.spec.tasks), targets=targets)


def _as_known(what: str, targets: np.ndarray, task: Task, known: Task) -> np.ndarray:
    """Targets of `task` in the form that `known` asks for."""
    if (task.kind, task.labels, task.outputs, task.one_hot) == (known.kind, known.labels, known.outputs, known.one_hot):
        return targets
    codes = class_codes(targets, task)
    if codes is not None and known.kind in ("binary", "multiclass"):
        return _recoded(what, codes, task, known)
    if task.kind == known.kind == "multilabel" and set(task.labels) == set(known.labels):
        return targets[:, [task.labels.index(label) for label in known.labels]]
    raise DataError(f"{what} has changed", received=_described(task), expected=f"{_described(known)}, as in training")


def _recoded(what: str, codes: np.ndarray, task: Task, known: Task) -> np.ndarray:
    places = {label: place for place, label in enumerate(known.labels)}
    table = np.array([places.get(label, -1) for label in task.labels])
    found = table[codes]
    if (found < 0).any():
        unknown = sorted({task.labels[code] for code in codes[found < 0]})
        row = int(np.argmax(found < 0))
        raise DataError(
            f"{what} holds a label that the run does not know: {unknown[0]!r} in row {row + 1}",
            received=listing(unknown),
            expected=listing(known.labels),
        )
    if known.one_hot:
        return np.eye(len(known.labels), dtype="float32")[found]
    return found.astype("float32" if known.kind == "binary" else "int32")


def _described(task: Task) -> str:
    if task.kind == "regression":
        return f"{task.outputs} numbers" if task.outputs > 1 else "numbers"
    return f"{task.kind} with the labels {listing(task.labels)}"
