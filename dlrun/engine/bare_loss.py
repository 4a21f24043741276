"""The loss without the penalties of regularizers, logged beside the loss that has them."""

from __future__ import annotations

from typing import Any

import keras

NAME = "bare_loss"


def log_bare_loss(model: keras.Model) -> None:
    """Let a compiled model with regularizers log `bare_loss`, which models without them can be compared with.

    Keras adds the penalties to the loss of training and of validation alike; the book says otherwise (DLwP 4.4.2). A
    model with steps of its own logs what it likes.
    """
    if has_own_steps(model) or not penalised(model):
        return
    if hasattr(model, NAME):  # compiled anew
        return
    compute_loss, mean = model.compute_loss, keras.metrics.Mean(name=NAME)

    def compute_and_log(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        total = compute_loss(x, y, y_pred, sample_weight, training=training)
        penalties = sum(keras.ops.sum(one) for one in model.losses)
        mean.update_state(total - penalties, sample_weight=keras.ops.shape(keras.tree.flatten(x)[0])[0])
        return total

    model.bare_loss = mean  # as an attribute it is one of the model's metrics: logged, reset and kept in checkpoints
    model.compute_loss = compute_and_log


def has_own_steps(model: keras.Model) -> bool:
    """Whether the class of a model says what happens in a step, or what the loss is."""
    names = ("train_step", "test_step", "compute_loss")
    return any(getattr(type(model), name) is not getattr(keras.Model, name) for name in names)


def penalised(model: keras.Model) -> bool:
    """Whether a regularizer of the model adds to the loss."""
    layers = model._flatten_layers()
    return any(v.regularizer is not None for v in model.trainable_variables) or any(
        getattr(layer, "activity_regularizer", None) is not None for layer in layers
    )
