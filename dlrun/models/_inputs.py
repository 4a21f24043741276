"""Input layers from the DataSpec."""

from __future__ import annotations

import keras

from dlrun.errors import ConfigError
from dlrun.spec import DataSpec


def single_input(spec: DataSpec, model: str) -> keras.KerasTensor:
    """The input layer for data with one input. Raises ConfigError when there are several."""
    if len(spec.inputs) != 1:
        raise ConfigError(
            f"the model {model!r} takes one input, the data has {len(spec.inputs)}",
            key=("model", "name"),
            received=", ".join(spec.inputs),
        )
    (name,) = spec.inputs
    return keras.Input(spec.input.shape, dtype=spec.input.dtype, name=name)
