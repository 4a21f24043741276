"""Epochs driven by `model.fit`, one call per step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


def fit_stepwise(
    model: keras.Model,
    batches: Any,
    *,
    validation: Any,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
    steps_done: int = 0,
    first_logs: dict[str, Any] | None = None,
) -> None:
    """Train by `model.fit` over pipelines; `epochs` count from 0.

    Of the first epoch `steps_done` steps are done already, and their batches are not in `batches`; `first_logs` is what
    the last of them logged.
    """
    hooks: Any = list(callbacks)
    if steps_done and len(epochs):
        _pass_over(model, steps_done, first_logs or {})
        steps = len(batches) if hasattr(batches, "__len__") else int(batches.cardinality)
        shared = {"model": model, "epochs": epochs.stop, "steps": steps, "verbose": 0}
        hooks = _LaterHooks(steps_done, hooks, add_history=True, **shared)
    model.fit(
        batches,
        validation_data=validation,
        epochs=epochs.stop,
        initial_epoch=epochs.start,
        callbacks=hooks,
        shuffle=False,  # the order is dlrun's own; Keras would shuffle the batches of a PyDataset once more
        verbose=0,
    )


def _pass_over(model: keras.Model, steps: int, logs: dict[str, Any]) -> None:
    """Let the first calls of the model's train function do nothing: `fit` counts the steps of each epoch from 0."""
    model.make_train_function()
    train, passed = model.train_function, 0

    def train_function(*arguments: Any) -> Any:
        nonlocal passed
        if passed == steps:
            return train(*arguments)
        passed += 1
        return (logs, arguments[0]) if keras.backend.backend() == "jax" else logs  # JAX: with the state

    model.train_function = train_function


class _LaterHooks(keras.callbacks.CallbackList):
    """Callbacks that do not hear of the first steps of training, which an earlier process has done."""

    def __init__(self, passed: int, callbacks: Sequence[keras.callbacks.Callback], **options: Any) -> None:
        self._to_begin = self._to_end = passed
        super().__init__(callbacks, **options)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._to_begin:
            self._to_begin -= 1
        else:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._to_end:
            self._to_end -= 1
        else:
            super().on_train_batch_end(batch, logs)
