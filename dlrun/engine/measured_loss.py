"""The loss of a model on rows, from the same pass over them as its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np

from dlrun.config.schema import Output
from dlrun.engine.bare_loss import NAME as BARE
from dlrun.engine.bare_loss import has_own_steps, penalised
from dlrun.engine.compiling import make_loss
from dlrun.engine.feeding import Feeder
from dlrun.engine.pipelines import batches_in_order

LOSS = "loss"
Losses = dict[str, float]  # `loss` and perhaps `bare_loss`


def predict_with_losses(
    model: keras.Model, feeder: Feeder, rows: np.ndarray, batch_size: int, outputs: Mapping[str, Output]
) -> tuple[Any, Losses, dict[str, Losses]]:
    """What `model.predict` gives for these rows, the losses of several outputs together, and those of each.

    `loss` is with the penalties of regularizers and, where there are any, `bare_loss` without them: what
    `model.evaluate` tells. They are computed within the model's graph and not from its outputs, for Keras takes a
    crossentropy from what goes into the last sigmoid or softmax: what comes out has lost the logarithm of a probability
    near 0 or 1. No loss is told of a model with steps of its own, which may mean something else by it.
    """
    if has_own_steps(model):
        return predict_without_losses(model, feeder, rows, batch_size, outputs)
    found = _WithLosses(model, outputs).predict(batches_in_order(feeder, rows, batch_size, "pairs"), verbose=0)
    total = {name: _mean(values) for name, values in found["total"].items()}
    if not penalised(model):
        total.pop(BARE, None)
    if len(outputs) == 1:
        return found["outputs"], {}, dict.fromkeys(outputs, total)
    return found["outputs"], total, {name: {LOSS: _mean(values)} for name, values in found["each"].items()}


def predict_without_losses(
    model: keras.Model, feeder: Feeder, rows: np.ndarray, batch_size: int, names: Iterable[str]
) -> tuple[Any, Losses, dict[str, Losses]]:
    """The same, where nobody knows the loss."""
    found = model.predict(batches_in_order(feeder, rows, batch_size, "inputs"), verbose=0)
    return found, {}, {name: {} for name in names}


def _mean(values: np.ndarray) -> float:
    return float(values.mean(dtype="float64"))


class _WithLosses(keras.Model):
    """A model that takes pairs of inputs and targets, and gives the losses of the batch in every row."""

    def __init__(self, model: keras.Model, outputs: Mapping[str, Output]) -> None:
        # Targets stay as they are when the model computes in halves.
        super().__init__(name="with_losses", dtype="float32", autocast=False)
        self.scored, self.stated = model, dict(outputs)

    def call(self, pair: tuple[Any, Any]) -> dict[str, Any]:
        """Outputs as they are, and losses as vectors `(batch,)`, the last and smaller batch counting for less."""
        inputs, targets = pair
        found = self.scored(inputs, training=False)
        if len(self.stated) > 1 and not isinstance(found, dict):
            return {"outputs": found, "total": {}, "each": {}}  # not what the data has, as `by_task` says
        if len(self.stated) > 1:
            each = {name: _loss_object(one)(targets[name], found[name]) for name, one in self.stated.items()}
            bare = sum(value * self.stated[name].weight for name, value in each.items())
        else:
            (only,) = self.stated.values()
            each, bare = {}, _loss_object(only)(targets, keras.tree.flatten(found)[0])
        total = bare + sum(keras.ops.sum(penalty) for penalty in self.scored.losses)
        rows = keras.ops.shape(keras.tree.flatten(targets)[0])[:1]
        losses = {"total": {LOSS: total, BARE: bare}, "each": each}
        return {"outputs": found} | keras.tree.map_structure(lambda one: keras.ops.broadcast_to(one, rows), losses)


class _OfFunction(keras.losses.Loss):
    """A loss of Keras that is stated by its name, as `compile` takes it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)


def _loss_object(output: Output) -> Any:
    assert output.loss is not None, "chosen before"
    loss = keras.losses.get(make_loss(output.loss))
    return loss if isinstance(loss, keras.losses.Loss) else _OfFunction(loss)
