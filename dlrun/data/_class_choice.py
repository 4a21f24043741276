"""Some classes of a set of pictures, or one alone: then there is nothing to tell apart, and no task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlrun.data._dataset import Arrays
from dlrun.errors import DataError, did_you_mean, listing
from dlrun.spec import Task

CLASSES: tuple[str, str] = ("data", "classes")


def wanted_classes(known: Sequence[str], wanted: Sequence[str | int] | None) -> list[str]:
    """The labels to keep, in the order of `known`; all unless some are wanted. Raises DataError."""
    if wanted is None:
        return list(known)
    names = [str(one) for one in wanted]
    for place, name in enumerate(names):
        if name not in known:
            raise DataError(
                f"the data has no class {name!r}",
                key=(*CLASSES, place),
                expected=listing(known),
                hint=did_you_mean(name, known),
            )
    if not names:
        raise DataError("data.classes leaves no class", key=CLASSES, expected=f"some of {listing(known)}")
    return [label for label in known if label in names]


def choose_classes(
    codes: np.ndarray, target: str, labels: Sequence[str], wanted: Sequence[str | int] | None
) -> tuple[np.ndarray, Arrays, dict[str, Task]]:
    """The rows `(n,)` of these classes, their targets and the task; neither for one class. `codes` `(rows,)` count
    through `labels`. Raises DataError for a class that is not there.
    """
    kept = wanted_classes(labels, wanted)
    new_codes = np.array([kept.index(label) if label in kept else -1 for label in labels])[codes]
    rows = np.flatnonzero(new_codes >= 0)
    if len(kept) == 1:
        return rows, {}, {}
    task = Task("binary" if len(kept) == 2 else "multiclass", labels=tuple(kept))
    return rows, {target: new_codes[rows].astype("float32" if len(kept) == 2 else "int32")}, {target: task}
