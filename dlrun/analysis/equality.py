"""Where two runs part, bit by bit: their histories, their weights. Keras is not needed for it."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.errors import DataError, RunDirError
from dlrun.run_dir import RunDir

if TYPE_CHECKING:
    import numpy as np

Rows = list[dict[str, str]]
_WEIGHTS_FILE = "model.weights.h5"  # inside a .keras file


@dataclass(frozen=True)
class HistoryDifference:
    """The first value in which two histories part: its epoch (from 1), its column, and as it is written in both.

    `differing` of `values` differ in all, by `largest` at most (0 where only one of the two is a number).
    """

    epoch: int
    metric: str
    before: str
    now: str
    differing: int
    values: int
    largest: float


@dataclass(frozen=True)
class WeightDifference:
    """How many of the `values` in a group of arrays differ in a bit, and by how much at most."""

    group: str
    differing: int
    values: int
    largest: float


def history_cells(run: RunDir) -> Rows:
    """The rows of `history.csv` as they are written, epoch 1 first. Raises RunDirError."""
    run.history()  # refuses what is not a number
    with run.history_file.open(encoding="utf-8", newline="") as stream:
        return [{name: value for name, value in row.items() if name != "epoch"} for row in csv.DictReader(stream)]


def history_difference(before: Rows, now: Rows) -> HistoryDifference | None:
    """Where two histories part, in the epochs that both have; None when nowhere."""
    found: list[tuple[int, str, str, str]] = []
    values = 0
    for epoch, (old, new) in enumerate(zip(before, now, strict=False), 1):
        for name in dict.fromkeys([*old, *new]):
            values += 1
            pair = old.get(name, ""), new.get(name, "")
            if pair[0] != pair[1]:
                found.append((epoch, name, *pair))
    if not found:
        return None
    largest = max(_distance(old, new) for _, _, old, new in found)
    return HistoryDifference(*found[0], differing=len(found), values=values, largest=largest)


def _distance(first: str, second: str) -> float:
    distance = abs(float(first) - float(second)) if first and second else 0.0
    return distance if math.isfinite(distance) else 0.0


def weight_difference(
    group: str, before: Mapping[str, np.ndarray], now: Mapping[str, np.ndarray]
) -> WeightDifference | None:
    """How two groups of arrays differ, compared by name and by bits; None when they are equal."""
    differing = values = 0
    largest = 0.0
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        size = max(array.size for array in (old, new) if array is not None)
        values += size
        if old is None or new is None or old.shape != new.shape or old.dtype != new.dtype:
            differing += size
        elif old.tobytes() != new.tobytes():
            count, distance = _differing_values(old, new)
            differing, largest = differing + count, max(largest, distance)
    return WeightDifference(group, differing, values, largest) if differing else None


def _differing_values(old: np.ndarray, new: np.ndarray) -> tuple[int, float]:
    """How many values of two arrays of one shape and type differ in a bit, and their largest finite distance."""
    import numpy as np

    bits = [np.ascontiguousarray(array).reshape(-1).view("uint8").reshape(old.size, -1) for array in (old, new)]
    count = int((bits[0] != bits[1]).any(axis=1).sum())
    if old.dtype.kind not in "fiub":
        return count, 0.0
    with np.errstate(invalid="ignore"):
        distances = np.abs(old.astype("float64") - new.astype("float64"))
    return count, float(distances[np.isfinite(distances)].max(initial=0.0))


def keras_file_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array in a `.keras` file by its path inside: weights, seeds, optimizer. Raises RunDirError."""
    import h5py
    import numpy as np

    from dlrun.data._archives import open_zip  # refuses what grows beyond measure

    found: dict[str, np.ndarray] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item[()])

    try:
        with open_zip(path) as archive, h5py.File(io.BytesIO(archive.read(_WEIGHTS_FILE)), "r") as file:
            file.visititems(keep)
    except DataError as error:
        raise RunDirError(problems=error.problems) from error
    except (OSError, KeyError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise RunDirError(f"{path} is damaged, or not a .keras file") from error
    return found


def grouped(arrays: Mapping[str, np.ndarray], titles: Mapping[str, str]) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of a checkpoint (`model/0`, `optimizer0/3`, ...) by the title of the prefix they begin with."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        title = next((title for prefix, title in titles.items() if name.startswith(prefix)), "other state")
        groups.setdefault(title, {})[name] = array
    return groups


def differences(
    before: Mapping[str, Mapping[str, np.ndarray]], now: Mapping[str, Mapping[str, np.ndarray]]
) -> Sequence[WeightDifference]:
    """`weight_difference` of every group that is in either."""
    found = [weight_difference(name, before.get(name, {}), now.get(name, {})) for name in {**before, **now}]
    return [difference for difference in found if difference]
