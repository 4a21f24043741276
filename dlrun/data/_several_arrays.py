"""The encoder of several numeric arrays side by side, for models with several inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Arrays, Encoder, encoder
from dlrun.errors import DataError
from dlrun.spec import InputSpec


@encoder("arrays")
class ArraysEncoder(Encoder):
    """One `ArrayEncoder` for each input; batches are dicts by input name."""

    def __init__(self, encoders: Sequence[ArrayEncoder]) -> None:
        self.encoders = list(encoders)

    def inputs(self) -> dict[str, InputSpec]:
        """All inputs by name."""
        return {name: spec for single in self.encoders for name, spec in single.inputs().items()}

    def fit(self, raw: Arrays, rows: np.ndarray) -> None:
        """Each input learns its own transforms."""
        for single in self.encoders:
            single.fit(raw, rows)

    def apply(self, raw: Arrays) -> Arrays:
        """`{name: (rows, *shape)}`, each in its resting dtype."""
        return {name: values for single in self.encoders for name, values in single.apply(raw).items()}

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """`{name: (batch, *shape)}`."""
        return {single.name: single.batch(arrays, indices) for single in self.encoders}

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """Rows from .npz files that hold all inputs by name."""
        for source in sources:
            if Path(source).suffix.lower() != ".npz":
                names = ", ".join(single.name for single in self.encoders)
                raise DataError(f"{source}: several inputs cannot come from one table", expected=f".npz with {names}")
        raw = {name: values for single in self.encoders for name, values in single.read(sources).items()}
        return _checked(raw)

    def read_values(self, values: Any) -> Arrays:
        """A mapping with an array for each input, by name."""
        if not isinstance(values, Mapping):
            names = ", ".join(single.name for single in self.encoders)
            raise DataError(
                "the model has several inputs", received=type(values).__name__, expected=f"a dict with {names}"
            )
        return _checked({name: rows for one in self.encoders for name, rows in one.read_values(values).items()})

    def get_state(self) -> dict[str, Any]:
        """The states of all inputs."""
        return {"encoders": [single.get_state() for single in self.encoders]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ArraysEncoder:
        """The encoder as it was when its state was taken."""
        return cls([ArrayEncoder.from_state(single) for single in state["encoders"]])


def _checked(raw: Arrays) -> Arrays:
    """Raises DataError when the inputs have different numbers of rows."""
    counts = {name: len(values) for name, values in raw.items()}
    if len(set(counts.values())) > 1:
        raise DataError(
            "the inputs have different numbers of rows",
            received=", ".join(f"{name}: {count:,}" for name, count in counts.items()),
        )
    return raw
