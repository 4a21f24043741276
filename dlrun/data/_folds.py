"""One fold of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlrun.errors import DataError


class NotStratifiedError(DataError):
    """The rows are too few for equal shares of each class."""


def one_fold(
    kind: str, labels: np.ndarray | None, rows: int, fold: Mapping[str, int], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the training rows and of the held-out rows of the fold that `fold` (index, n_splits, repeat) names.

    `labels` `(rows,)` are the groups or classes for the kinds `grouped` and `stratified`. Raises DataError when there
    are too few rows, groups or rows of a class.
    """
    index, n_splits = fold["index"], fold["n_splits"]
    if index >= n_splits:
        raise DataError(
            f"fold {index} is not one of {n_splits} folds",
            key=("split", "fold", "index"),
            expected=f"0 to {n_splits - 1}",
        )
    if fold["repeat"] and kind in ("head", "time"):
        raise DataError(f"folds of kind {kind} are the same in every repetition", key=("split", "fold", "repeat"))
    _check_enough(kind, labels, rows, n_splits)
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit  # here: a second to import

    shuffle: dict[str, Any] = {"shuffle": True, "random_state": seed}
    makers: dict[str, Callable[[], Any]] = {
        "head": lambda: KFold(n_splits),
        "time": lambda: TimeSeriesSplit(n_splits),
        "grouped": lambda: GroupKFold(n_splits, **shuffle),
        "stratified": lambda: StratifiedKFold(n_splits, **shuffle),
        "shuffled": lambda: KFold(n_splits, **shuffle),
    }
    groups = {"groups": labels} if kind == "grouped" else {}
    training, held_out = list(makers[kind]().split(np.arange(rows), labels, **groups))[index]
    return training, held_out


def _check_enough(kind: str, labels: np.ndarray | None, rows: int, n_splits: int) -> None:
    there, needed, what, error = rows, n_splits, "rows", DataError
    if kind == "time":
        needed = n_splits + 1  # the first part only trains
    elif kind == "grouped" and labels is not None:
        there, what = len(np.unique(labels)), "groups"
    elif kind == "stratified" and labels is not None:
        there, what = int(np.unique(labels, return_counts=True)[1].min()), "rows in the smallest class"
        error = NotStratifiedError
    if there < needed:
        raise error(
            f"{n_splits} folds need at least {needed} {what}; there are {there}", key=("split", "fold", "n_splits")
        )
