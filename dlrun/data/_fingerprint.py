"""What tells one set of data from another, wherever the files lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.data._dataset import Dataset
from dlrun.spec import Task


def fingerprint(dataset: Dataset, splits: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Content and split as JSON values.

    `content` (SHA-256 of raw and shared arrays and targets) and `split` (SHA-256 of the row indices) are the identity;
    the rest is for readers: rows per split, rows per class and split, the files read, whether it is a stand-in.
    """
    content = hashlib.sha256()
    named = {
        **dataset.raw,
        **{f"shared {name}": array for name, array in dataset.shared.items()},
        **{f"target {name}": array for name, array in dataset.targets.items()},
    }
    for name, array in sorted(named.items()):
        content.update(f"{name} {array.dtype.kind} {array.shape}".encode())
        _update(content, array)
    chosen = hashlib.sha256()
    for name, indices in splits.items():
        chosen.update(name.encode() + indices.astype("<i8").tobytes())
    found: dict[str, Any] = {
        "content": content.hexdigest(),
        "split": chosen.hexdigest(),
        "rows": {name: len(indices) for name, indices in splits.items()},
        "files": [{"name": path.name, "bytes": path.stat().st_size} for path in map(Path, dataset.files)],
        "sample": dataset.generated,
    }
    counts = {name: class_counts(task, dataset.targets[name], splits) for name, task in dataset.tasks.items()}
    return found | ({"classes": classes} if (classes := {k: v for k, v in counts.items() if v}) else {})


def same_data(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> bool:
    """Whether two fingerprints have the same content and split; never when one is missing or has neither."""
    if not first or not second:
        return False
    return all(key in first and first[key] == second.get(key) for key in ("content", "split"))


def class_counts(task: Task, targets: np.ndarray, splits: Mapping[str, np.ndarray]) -> dict[str, dict[str, int]]:
    """Rows per label and split; empty for regression."""
    if not task.classifies:
        return {}
    if task.kind == "multilabel":
        counts = {name: targets[rows].sum(axis=0) for name, rows in splits.items()}
    else:
        codes = targets.argmax(axis=1) if task.one_hot else targets.astype("int64")
        counts = {name: np.bincount(codes[rows], minlength=len(task.labels)) for name, rows in splits.items()}
    return {name: dict(zip(task.labels, map(int, found), strict=True)) for name, found in counts.items()}


def _update(content: Any, array: np.ndarray) -> None:
    if array.dtype.kind != "O":
        content.update(np.ascontiguousarray(array).reshape(-1).view("uint8").data)
    elif len(array) and isinstance(array[0], np.ndarray):  # ragged rows
        content.update(np.array([len(row) for row in array], "<i8").tobytes())
        content.update(np.concatenate(array).astype("<i4").tobytes())
    else:
        content.update("\x1f".join("\x00" if value is None else str(value) for value in array.ravel()).encode())
