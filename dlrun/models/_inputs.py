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


def sequence_input(spec: DataSpec, model: str) -> keras.KerasTensor:
    """The input layer for word ids `(batch, length)` or numbers `(batch, length, features)`.

    Raises ConfigError for anything else.
    """
    rank = 1 if spec.input.vocabulary_size is not None else 2
    inputs = single_input(spec, model)
    if len(spec.input.shape) != rank:
        raise ConfigError(
            f"the model {model!r} wants sequences, the data gives {spec.input.shape}",
            key=("model", "name"),
            hint="data.encoding: sequence" if len(spec.input.shape) == 1 else None,
        )
    return inputs
