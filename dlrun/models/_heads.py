"""The last layers of a model, from the tasks by table 4-1 of the book."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import keras

from dlrun.errors import ConfigError
from dlrun.spec import DataSpec


def output(spec: DataSpec, features: Any, taken: Collection[str] = ()) -> Any:
    """The output for `features` `(batch, n)`, or a dict of features by task: a tensor `(batch, units)` for one task, a
    dict of them by task name for several.

    Each layer is named after its task, unless the name is an input's or among those `taken`. Outputs are float32 even
    under a mixed precision policy, as Keras advises. Raises ConfigError when the data has no targets.
    """
    if not spec.tasks:
        message = "the model ends in a layer for the targets, and the data has none"
        raise ConfigError(message, key=("model", "name"), hint="dcgan and autoencoder make pictures")
    outputs = {}
    for name, task in spec.tasks.items():
        head, own = task.head, name.replace("/", "_")  # Keras takes no slash
        while own in taken or own in spec.inputs:
            own += "_head"
        layer = keras.layers.Dense(head.units, activation=head.activation, dtype="float32", name=own)
        outputs[name] = layer(features[name] if isinstance(features, dict) else features)
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))
