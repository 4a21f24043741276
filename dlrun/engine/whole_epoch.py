"""Epochs driven in a few compiled calls instead of one call per step, with Keras' callbacks as in `model.fit`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from dlrun.engine.execution_rules import overrides
from dlrun.engine.feeding import Feeder, Order

CHUNK_SECONDS = 0.5  # between two looks at signals, progress and the loss
_FIRST_CHUNK = 8  # steps; then the chunks grow with what was measured

OnSteps = Callable[[int, dict[str, Any]], None]  # steps done in this epoch, and what the last one logs


class Steps(Protocol):
    """What a backend gives: many steps in one call, after which the model's variables hold the state."""

    def place(self, array: np.ndarray) -> Any: ...
    def train(self, order: Any, seeds: Any, start: int, stop: int, spare: int) -> tuple[int, dict[str, Any]]: ...
    def validated(self) -> dict[str, Any] | None: ...
    def test(self, order: Any, start: int, stop: int) -> dict[str, Any]: ...
    def reset_metrics(self) -> None: ...


def make_steps(
    model: keras.Model, feeder: Feeder, *, jit_compile: bool, joined: tuple[int, np.ndarray] | None = None
) -> Steps:
    """The steps of the backend in use; with `joined`, which is what `batches_to_join` gives, training and validation
    share calls where the backend and the model allow it.
    """
    if keras.backend.backend() == "jax":
        from dlrun.engine.jax_steps import JaxSteps

        return JaxSteps(model, feeder)
    from dlrun.engine.tensorflow_steps import JoinedSteps, TensorFlowSteps, can_join

    if joined is not None and can_join(model):
        return JoinedSteps(model, feeder, *joined, jit_compile=jit_compile)
    return TensorFlowSteps(model, feeder, jit_compile=jit_compile)


def batches_to_join(
    samples: int, validation: np.ndarray | None, batch_size: int, callbacks: Sequence[keras.callbacks.Callback]
) -> tuple[int, np.ndarray] | None:
    """The steps of training and the batches of validation `(steps, batch)`, where both are full ones only and no
    callback acts between them; else None.
    """
    if validation is None or samples % batch_size or len(validation) % batch_size:
        return None
    if any(overrides(callback, "on_test_begin") for callback in callbacks):
        return None
    return samples // batch_size, validation.reshape(-1, batch_size)


def fit_whole_epochs(
    model: keras.Model,
    steps: Steps,
    *,
    order: Order,
    validation: np.ndarray | None,
    batch_size: int,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
    on_steps: OnSteps,
    every_steps: int | None = None,
    first_logs: dict[str, Any] | None = None,
) -> None:
    """What `model.fit` does, with the callbacks' hooks for epochs and for validation; no hook for a batch is called.

    `order` is asked once an epoch, `validation` are rows `(n,)`, `epochs` count from 0. `on_steps` is called about
    every CHUNK_SECONDS, and every `every_steps` steps of an epoch; what it raises ends the training. `first_logs` is
    what the step before the first one logged.
    """
    hooks = keras.callbacks.CallbackList(list(callbacks), add_history=True, model=model, epochs=epochs.stop, verbose=0)
    training, testing = _Chunks(batch_size, every_steps), _Chunks(batch_size)
    fixed = None if validation is None else training.batches(validation, 0, steps.place)
    model.stop_training = False
    logs = first_logs or {}
    hooks.on_train_begin()
    for epoch in epochs:
        # Metrics make their variables in the first epoch.
        reset = model.reset_metrics if epoch == epochs.start else steps.reset_metrics
        reset()
        hooks.on_epoch_begin(epoch)
        rows, seed, first = order()
        batches = training.batches(rows, seed, steps.place)
        for done, logs in training.run(batches, steps.train, first):
            on_steps(done, logs)
        logs = _logged_by_fit(model, "train_step", logs)
        if fixed is not None:
            logs = logs | _validate(model, steps, hooks, fixed, testing, reset)
        hooks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    if isinstance(getattr(model, "optimizer", None), keras.optimizers.Optimizer) and epochs.stop > 0:
        model.optimizer.finalize_variable_values(model.trainable_weights)
    hooks.on_train_end(logs)


def _validate(
    model: keras.Model,
    steps: Steps,
    hooks: Any,
    batches: list[Any],
    chunks: _Chunks,
    reset_metrics: Callable[[], None],
) -> dict[str, Any]:
    hooks.on_test_begin()
    if (joined := steps.validated()) is not None:
        found = _plain(joined)
    else:
        reset_metrics()
        *_, (_, found) = chunks.run(batches, lambda order, _s, start, stop, _t: (stop, steps.test(order, start, stop)))
        found = _logged_by_fit(model, "test_step", found)
    hooks.on_test_end(found)
    return {f"val_{name}": value for name, value in found.items()}


def _logged_by_fit(model: keras.Model, step: str, logs: dict[str, Any]) -> dict[str, Any]:
    """What `model.fit` logs after the last step: of a step of the user's own that logs under exactly the names of the
    model's metrics the values of these metrics.
    """
    if getattr(type(model), step) is getattr(keras.Model, step):
        return logs
    metrics = model.get_metrics_result()
    return _plain(metrics) if metrics.keys() == logs.keys() else logs


def _plain(logs: dict[str, Any]) -> dict[str, Any]:
    """Logs as numbers, nested ones side by side; what is no number stays."""
    found: dict[str, Any] = {}
    for name, value in logs.items():
        if isinstance(value, dict):
            found |= _plain(value)
        else:
            array = keras.ops.convert_to_numpy(value)  # waits for the result
            found[name] = float(array) if array.ndim == 0 else array
    return found


class _Chunks:
    """Rows as batches, and runs of batches that take about CHUNK_SECONDS each."""

    def __init__(self, batch_size: int, every_steps: int | None = None) -> None:
        self._batch_size, self._every_steps = batch_size, every_steps
        self._size = _FIRST_CHUNK

    def batches(self, rows: np.ndarray, seed: int, place: Callable[[np.ndarray], Any]) -> list[Any]:
        """`(steps, order, seeds)` of the full batches, and of the partial last one: order `(steps, batch)`, seeds
        `(steps, 2)`, int32.
        """
        full = len(rows) // self._batch_size
        seeds = np.stack([np.full(full + 1, seed), np.arange(full + 1)], axis=1).astype("int32")
        cut = full * self._batch_size
        groups = [(rows[:cut].reshape(full, self._batch_size), seeds[:full]), (rows[None, cut:], seeds[full:])]
        return [(len(o), place(o.astype("int32")), place(s)) for o, s in groups if o.size]

    def run(
        self, batches: list[Any], call: Callable[..., tuple[int, dict[str, Any]]], first: int = 0
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Steps done and logs, after each chunk, from the step `first` on. A chunk may end early. `call` hears how many
        steps of validation would fit into the chunk besides.
        """
        before = 0
        for number, (count, order, seeds) in enumerate(batches, 1):
            start = max(0, first - before)
            while start < count:
                began, stop = time.perf_counter(), min(count, start + self._size)
                if self._every_steps:
                    stop = min(stop, start + self._every_steps - (before + start) % self._every_steps)
                spare = self._size - (stop - start) if number == len(batches) else 0
                done, logs = call(order, seeds, start, stop, spare)
                logs = _plain(logs)
                self._fit_size(done - start, time.perf_counter() - began)
                start = done
                yield before + done, logs
            before += count

    def _fit_size(self, steps: int, seconds: float) -> None:
        """Grow or shrink towards CHUNK_SECONDS. A short chunk, at the end of an epoch, tells little."""
        if steps >= self._size or seconds > CHUNK_SECONDS:
            wanted = math.ceil(steps * CHUNK_SECONDS / max(seconds, 1e-6))
            self._size = max(1, min(wanted, 8 * self._size))
