"""Which arrays of an .npz file are inputs and which the target, by the names people give them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from dlrun.errors import DataError, did_you_mean, listing

INPUTS = ("x", "X", "inputs", "input", "images", "image", "data", "features")
TARGETS = ("y", "Y", "targets", "target", "labels", "label")
PARTS = {
    "training": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
Headers = Mapping[str, tuple[tuple[int, ...], np.dtype]]


def find_members(names: Collection[str], base: str) -> dict[str, str]:
    """The arrays of a base name: `{"": x}`, or by part, such as `x_train` or `train_x`; empty without one to train."""
    if base in names:
        return {"": base}
    found = {}
    for part, words in PARTS.items():
        forms = [form for word in words for form in (f"{base}_{word}", f"{word}_{base}")]
        name = next((form for form in forms if form in names), None)
        if name:
            found[part] = name
    return found if "training" in found else {}


def choose(path: Path, headers: Headers, wish: str, role: str) -> tuple[str, dict[str, str]]:
    """Base name and arrays by part of the `inputs` or the `target`. Raises DataError when there are none."""
    known = INPUTS if role == "inputs" else TARGETS
    for base in known if wish == "auto" else [wish]:
        if found := find_members(headers, base):
            return base, found
    there = "\n".join(f"{name}: {dtype}, shape {shape}" for name, (shape, dtype) in list(headers.items())[:8])
    if wish == "auto":
        raise DataError(
            f"{path}: it is not clear which array is the {role}",
            key=("data", "path"),
            received=there or "an empty file",
            expected=f"{listing(known, 3)} or the like, alone or with _train and _test",
            hint=f"name it: data.{role}: NAME",
        )
    raise DataError(
        f"{path}: there is no array {wish}, nor {wish}_train",
        key=("data", role),
        received=there or "an empty file",
        hint=did_you_mean(wish, headers),
    )
