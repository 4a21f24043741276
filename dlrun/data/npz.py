"""The user's own arrays in an .npz file."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._array_names import Headers, choose
from dlrun.data._array_targets import targets_of
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._limits import read_limit, too_large
from dlrun.data._npz import read_array, read_headers
from dlrun.data._several_arrays import ArraysEncoder
from dlrun.data._sources import DataContext
from dlrun.errors import DataError, listing
from dlrun.spec import DataPath, Task

MOST_BYTES = 8 * 10**9  # of the arrays in use, unpacked
CHUNK = 4096  # rows checked at a time


@dlrun.dataset("npz")
def npz(
    context: DataContext,
    *,
    path: DataPath,
    inputs: str | list[str] = "auto",
    target: str | list[str] | None = "auto",
    task: Literal["auto", "binary", "multiclass", "multilabel", "regression"] = "auto",
    labels: list[str] = [],  # noqa: B006  read as a literal, not changed
    divide_by: float | Literal["auto"] = "auto",
    standardise: bool | Literal["auto"] = "auto",
    scale_target: bool | Literal["auto"] = "auto",
) -> Dataset:
    """Arrays in an .npz file, such as x and y, or x_train, y_train, x_test and y_test as in Keras' files.

    `path`: the file, written by numpy.savez or savez_compressed; Python objects in it are refused.
    `inputs`, `target`: the names of the arrays, without _train, _val, _test (or train_, val_, test_), which give the
    parts; `auto` finds x or images and y or labels, among others. A list of `inputs` is for models with several, a list
    of targets for those with several outputs, `target` null for models that learn the inputs alone.
    `task`: found from each target's values unless given: whole numbers and texts are classes, floats numbers, rows of
    zeros with a one are one-hot classes, other rows of zeros and ones several labels. `labels`: names for the classes,
    in the order of their values.
    `divide_by`: inputs are divided by it (auto: 255 for bytes with three axes or more, which are taken for images; grey
    ones get a channel). `standardise`: by the mean and deviation of each column of the training rows (auto: flat rows).
    `scale_target`: train on standardised targets (auto: for regression); what dlrun reports is in original units.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own npz file", hint="run it without --sample")
    file = context.locate(path)
    headers = read_headers(file)
    wishes = inputs if isinstance(inputs, list) else [inputs]
    if not wishes:
        raise DataError("data.inputs names no array", key=("data", "inputs"))
    chosen = dict(choose(file, headers, wish, "inputs") for wish in wishes)
    given = _choose_targets(file, headers, target, set(chosen))
    _check_size(file, headers, [name for found in [*chosen.values(), *given.values()] for name in found.values()])
    unused = set(headers) - {name for found in [*chosen.values(), *given.values()] for name in found.values()}
    notes = list[str]()
    first = next(iter([*given.values(), *chosen.values()]))
    common = _common_parts(file, headers, {**chosen, **given}, first, notes)
    chosen, given = {name: common[name] for name in chosen}, {name: common[name] for name in given}
    members = next(iter(chosen.values()))
    targets, tasks = dict[str, np.ndarray](), dict[str, Task]()
    if labels and len(given) > 1:
        raise DataError("data.labels names the classes of one target", key=("data", "labels"), received=listing(given))
    for base, found in given.items():
        targets[base], tasks[base], note = targets_of(f"{file}: {base}", _joined(file, headers, found), task, labels)
        notes += [note if len(given) == 1 else f"{base}: {note}"] if note else []
    if unused:
        notes.append(f"arrays that are not used: {listing(sorted(unused))}")
    raw = {name: _inputs(file, headers, found) for name, found in chosen.items()}
    encoders = [_encoder(name, found, divide_by, standardise) for name, found in raw.items()]
    regression = any(task.kind == "regression" for task in tasks.values())
    return Dataset(
        name="npz",
        raw=raw,
        targets=targets,
        encoder=encoders[0] if len(encoders) == 1 else ArraysEncoder(encoders),
        tasks=tasks,
        parts=_parts(headers, members),
        files=[file],
        scale_targets=regression if scale_target == "auto" else scale_target,
        notes=notes,
    )


def _check_size(file: Path, headers: Headers, names: Sequence[str]) -> None:
    """Raises DataError when the arrays together are more than is read of one file."""
    limit = read_limit(MOST_BYTES)
    if sum(max(0, math.prod(headers[name][0])) * headers[name][1].itemsize for name in names) > limit:
        raise too_large(file, limit, "its arrays together are larger")


def _choose_targets(
    file: Path, headers: Headers, target: str | list[str] | None, inputs: set[str]
) -> dict[str, dict[str, str]]:
    """The arrays of each target by part. Raises DataError."""
    wishes = target if isinstance(target, list) else [] if target is None else [target]
    chosen = dict(choose(file, headers, wish, "target") for wish in wishes)
    if target == [] or len(chosen) < len(wishes):
        what = "an array twice" if chosen else "no array"
        hint = None if chosen else "write null to learn the inputs alone"
        raise DataError(f"data.target names {what}", key=("data", "target"), hint=hint)
    for name in chosen:
        if name in inputs:
            raise DataError(f"the array {name} is an input and a target", key=("data", "target"))
    return chosen


def _common_parts(
    file: Path, headers: Headers, arrays: dict[str, dict[str, str]], first: dict[str, str], notes: list[str]
) -> dict[str, dict[str, str]]:
    """The arrays of each input and target by part, of the parts of `first` (the first target, or the first input).

    Raises DataError when they do not fit together.
    """
    alone = [name for found in arrays.values() for part, name in found.items() if part not in first and part]
    common = {base: {part: name for part, name in found.items() if part in first} for base, found in arrays.items()}
    parts = list(next(iter(common.values())))
    if not parts or any(list(found) != parts for found in common.values()):
        raise DataError(
            f"{file}: inputs and target have different parts",
            received="; ".join(listing(found.values()) for found in arrays.values()),
        )
    if alone:
        notes.append(f"{listing(alone)} has no targets and is left out")
    for part, name in [pair for found in common.values() for pair in found.items()]:
        rows, others = (headers[array][0][:1] for array in (name, first[part]))
        if rows != others or not rows:
            raise DataError(
                f"{file}: {name} and {first[part]} have not one row for each other",
                received=f"shapes {headers[name][0]} and {headers[first[part]][0]}",
            )
    return common


def _joined(file: Path, headers: Headers, members: dict[str, str]) -> np.ndarray:
    """The arrays of all parts, one after the other. Raises DataError."""
    shapes = {headers[name][0][1:] for name in members.values()}
    for name in members.values():
        shape, dtype = headers[name]
        if dtype.hasobject:
            raise DataError(
                f"{file}: the array {name} holds Python objects, which dlrun does not load",
                expected="an array of numbers or texts",
                hint="rows of one length saved with a dtype, such as np.asarray(rows, 'float32')",
            )
        if len(shapes) > 1 or not shape or not shape[0]:
            raise DataError(
                f"{file}: the array {name} has no rows, or rows unlike those of the other parts",
                received=", ".join(f"{other}: shape {headers[other][0]}" for other in members.values()),
            )
    return np.concatenate([read_array(file, name, sys.maxsize) for name in members.values()])


def _inputs(file: Path, headers: Headers, members: dict[str, str]) -> np.ndarray:
    """Input rows as numbers: bytes stay bytes, all else becomes float32. Raises DataError."""
    values = _joined(file, headers, members)
    place = f"{file}: {listing(members.values())}"
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"{place}: the inputs are no numbers", received=f"dtype {values.dtype}", expected="whole numbers or floats"
        )
    bytes_stay = values.dtype.kind == "b" or values.dtype == "uint8"
    with np.errstate(over="ignore"):  # what is too large for float32 is found below
        values = values.astype("uint8" if bytes_stay else "float32", copy=False)
    for start in range(0, 0 if bytes_stay else len(values), CHUNK):
        finite = np.isfinite(values[start : start + CHUNK]).reshape(len(values[start : start + CHUNK]), -1).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{place}, row {start + int(np.argmin(finite)) + 1}: an input is not a finite number",
                hint="repair such rows or leave them out; data: {name: csv} fills gaps",
            )
    if values.dtype == "uint8" and values.ndim == 3:
        return values[..., None]
    return values.reshape(len(values), 1) if values.ndim == 1 else values


def _encoder(name: str, values: np.ndarray, divide_by: float | str, standardise: bool | str) -> ArrayEncoder:
    images = values.dtype == "uint8" and values.ndim > 2
    scaled = values.ndim == 2 if standardise == "auto" else bool(standardise)
    divisor = (255.0 if images and not scaled else 1.0) if divide_by == "auto" else float(divide_by)
    if not np.isfinite(divisor) or divisor == 0:
        raise DataError("nothing can be divided by data.divide_by", key=("data", "divide_by"), received=f"{divisor:g}")
    if scaled and divide_by != "auto":
        raise DataError(
            "data.divide_by and data.standardise do the same work",
            key=("data", "divide_by"),
            hint="leave one of them out, or set standardise: false",
        )
    return ArrayEncoder(
        name,
        values.shape[1:],
        dtype=str(values.dtype),
        divide_by=divisor,
        value_range=(0, 255) if values.dtype == "uint8" else None,
        transforms=["standardise"] if scaled else [],
    )


def _parts(headers: Headers, members: dict[str, str]) -> dict[str, np.ndarray]:
    if "" in members:
        return {}
    counts = [headers[name][0][0] for name in members.values()]
    starts = np.cumsum([0, *counts])
    return {part: np.arange(*starts[place : place + 2]) for place, part in enumerate(members)}
