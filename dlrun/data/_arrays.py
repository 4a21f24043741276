"""The encoder of plain numeric arrays: pixels, measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from dlrun.data._augmentation import vary
from dlrun.data._dataset import Arrays, Encoder, encoder
from dlrun.data._numbers import number_rows, read_numbers
from dlrun.data._transforms import Chain
from dlrun.errors import DataError, listing
from dlrun.spec import Augmentation, InputSpec


def centre(values: Any) -> Any:
    """Numbers from 0 to 1 as numbers from -1 to 1."""
    return values * 2.0 - 1.0


@encoder("array")
class ArrayEncoder(Encoder):
    """One numeric input: rests in `dtype`, becomes `float32 / divide_by` of the given shape in the batch.

    `shape` is that of a row for the model, `transforms` (YAML form) learn from the training rows, each row flattened;
    with them the rows rest as float32, since what they make of whole numbers are none. `centred` maps 0 to 1, which
    pictures are after the division, to -1 to 1.
    `value_range` is what raw values must lie in; `predict` checks it. With a `vocabulary_size` the numbers are ids
    below it, int32 in the batch. `augmentation` varies pictures of training.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        *,
        dtype: str = "float32",
        divide_by: float = 1.0,
        value_range: Sequence[float] | None = None,
        transforms: Sequence[Any] = (),
        vocabulary_size: int | None = None,
        augmentation: Augmentation | None = None,
        centred: bool = False,
    ) -> None:
        self.name = name
        self.shape = tuple(shape)
        self.dtype = dtype
        self.divide_by = divide_by
        self.centred = centred
        self.value_range = tuple(value_range) if value_range else None
        self.vocabulary_size = vocabulary_size
        self.augmentation = augmentation  # for training, and no part of the state
        self.chain = Chain.from_config(transforms)

    def inputs(self) -> dict[str, InputSpec]:
        """The only input: numbers as float32, ids as int32."""
        dtype = "int32" if self.vocabulary_size else "float32"
        return {self.name: InputSpec(self.shape, dtype, vocabulary_size=self.vocabulary_size)}

    def fit(self, raw: Arrays, rows: np.ndarray) -> None:
        """Learn the transforms, if any, from the training rows."""
        if self.chain.steps:
            self.chain.fit(self._flat(raw)[rows])

    def apply(self, raw: Arrays) -> Arrays:
        """`{name: (rows, *shape)}` in the resting dtype."""
        values = raw[self.name]
        if self.chain.steps:
            values = self.chain.apply(self._flat(raw))
        dtype = "float32" if self.chain.steps else self.dtype
        return {self.name: np.ascontiguousarray(values, dtype).reshape(-1, *self.shape)}

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """`(batch, *shape)`, float32, or int32 ids."""
        gathered = ops.take(arrays[self.name], indices, axis=0)
        if self.vocabulary_size:
            return ops.cast(gathered, "int32")
        values = ops.cast(gathered, "float32")
        # A product, because graph optimisers turn a division by a constant into one and eager execution does not.
        values = values * np.float32(1 / self.divide_by) if self.divide_by != 1 else values
        return centre(values) if self.centred else values

    def augment(self, inputs: Any, seed: Any) -> Any:
        """Pictures, varied at random if so asked."""
        return vary(inputs, self.augmentation, seed) if self.augmentation else inputs

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """Rows of numbers from .csv or .tsv files without header, .npy or .npz files."""
        size = math.prod(self.shape)
        parts = [read_numbers(source, size, key=self.name) for source in sources]
        for source, values in zip(sources, parts, strict=True):
            self._check_range(str(source), values)
        return {self.name: np.concatenate(parts).reshape(-1, *self.shape)}

    def read_values(self, values: Any) -> Arrays:
        """Rows of numbers: an array `(rows, ...)` with the right number of values in a row, a list, a DataFrame, or a
        mapping with the input's name.
        """
        if isinstance(values, Mapping):
            if self.name not in values:
                raise DataError(f"the input {self.name!r} is missing", received=listing(map(str, values)) or "nothing")
            values = values[self.name]
        rows = number_rows(values, math.prod(self.shape), f"the given {self.name}")
        self._check_range(f"the given {self.name}", rows)
        return {self.name: rows.reshape(-1, *self.shape)}

    def get_state(self) -> dict[str, Any]:
        """The options and the states of the transforms."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "divide_by": self.divide_by,
            **({"centred": True} if self.centred else {}),
            "value_range": self.value_range,
            "transforms": self.chain.get_state(),
            "vocabulary_size": self.vocabulary_size,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ArrayEncoder:
        """The encoder as it was when its state was taken."""
        options = dict(state)
        chain = Chain.from_state(options.pop("transforms"))
        restored = cls(**options)
        restored.chain = chain
        return restored

    def _flat(self, raw: Arrays) -> np.ndarray:
        return raw[self.name].reshape(len(raw[self.name]), -1).astype("float64")

    def _check_range(self, source: str, values: np.ndarray) -> None:
        """Raises DataError for what is outside the range or would be cut at rest."""
        whole = np.dtype(self.dtype).kind in "iu" and not self.chain.steps
        limits = (np.iinfo(self.dtype).min, np.iinfo(self.dtype).max) if whole else (-math.inf, math.inf)
        low, high = self.value_range or limits
        wrong = (values < low) | (values > high)
        if whole:
            wrong |= values != np.floor(values)
        if wrong.any():
            row, column = map(int, np.argwhere(wrong)[0])
            raise DataError(
                f"{source}: row {row + 1}, column {column + 1}: {values[row, column]:g} is no value of {self.name}",
                expected=f"{'whole ' if whole else ''}numbers from {low:g} to {high:g}",
            )
