"""What layers give for a few rows of validation, kept after each epoch (DLwP 7.2.1)."""

from __future__ import annotations

import io
from typing import Any

import keras
import numpy as np

import dlrun
from dlrun.engine.feeding import Feeder
from dlrun.engine.model_graph import calls_of
from dlrun.engine.resolve import Experiment
from dlrun.errors import ConfigError, did_you_mean, listing
from dlrun.files import write_bytes
from dlrun.spec import Count


@dlrun.callback("activation_logger")
class ActivationLogger(keras.callbacks.Callback):
    """Keep what layers give for the first rows of validation after each epoch, as artefacts/activations_at_epoch_N.npz.

    An array `(rows, ...)` for each layer, under its name; a layer that is used several times has one for each use, the
    second as `NAME:1`. Epochs are counted from 1. Without a validation part the rows are those of training.

    Args:
        experiment: The experiment that trains.
        layers: Names of layers of the model itself; null for all of them.
        rows: How many rows.
        every_epochs: Every how many epochs.

    Raises:
        ConfigError: There is no layer of that name, or the model is not built of layers that Keras can see.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        layers: list[str] | None = None,
        rows: Count = 1,
        every_epochs: Count = 1,
    ) -> None:
        super().__init__()
        splits = experiment.data.splits
        self._rows = splits.get("validation", splits["training"])[:rows]
        self._feeder = Feeder.of(experiment.data)
        self._folder, self._layers, self._every = experiment.run.artefacts, layers, every_epochs
        self._reader: keras.Model | None = None
        self._names: list[str] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Raises ConfigError."""
        found = layer_outputs(self.model)
        if self._layers is not None:
            known = list(dict.fromkeys(name.partition(":")[0] for name in found))
            for position, name in enumerate(self._layers):
                if name not in known:
                    raise ConfigError(
                        f"the model has no layer {name!r}",
                        key=("callbacks",),
                        received=f"layers[{position}]: {name}",
                        expected=listing(known),
                        hint=did_you_mean(name, known),
                    )
            found = {name: one for name, one in found.items() if name.partition(":")[0] in self._layers}
        self._names = list(found)
        inputs = (getattr(self.model, "_functional", None) or self.model).input  # a dict where the model takes one
        self._reader = keras.Model(inputs, list(found.values()))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._reader is None or (epoch + 1) % self._every:
            return
        given = self._reader(self._feeder.inputs(self._rows), training=False)
        arrays = [keras.ops.convert_to_numpy(one) for one in keras.tree.flatten(given)]
        content = io.BytesIO()
        np.savez(content, **dict(zip(self._names, arrays, strict=True)))
        self._folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self._folder / f"activations_at_epoch_{epoch + 1}.npz", content.getvalue())


def layer_outputs(model: keras.Model) -> dict[str, Any]:
    """The tensors that the layers of a model give, by name, its inputs left out. Raises ConfigError."""
    calls = calls_of(model)
    if calls is None:
        raise ConfigError(
            f"activation_logger cannot see into the model {type(model).__name__}",
            key=("callbacks",),
            expected="a model built of layers, Sequential or functional",
        )
    found: dict[str, Any] = {}
    for call in calls:
        if not call.is_input:
            uses = sum(name.partition(":")[0] == call.operation.name for name in found)
            name = f"{call.operation.name}:{uses}" if uses else call.operation.name
            found[name] = call.output_tensors[0]
    return found
