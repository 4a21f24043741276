"""The last layers of a model, from the task by table 4-1 of the book."""

from __future__ import annotations

from typing import Any

import keras

from dlrun.spec import DataSpec


def output(spec: DataSpec, features: Any) -> Any:
    """The output for `features` `(batch, n)`: a tensor `(batch, units)`, or a dict of them by task name.

    The layer is named after its task. Outputs are float32 even under a mixed precision policy, as Keras advises.
    """
    outputs = {}
    for name, task in spec.tasks.items():
        head = task.head
        layer = keras.layers.Dense(head.units, activation=head.activation, dtype="float32", name=name)
        outputs[name] = layer(features)
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))
