"""From a checkpoint back into a model, its optimizers and its callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from dlrun.engine.callback_state import restore_callbacks
from dlrun.engine.checkpointing import Checkpoint
from dlrun.engine.progress import Progress
from dlrun.engine.session import count_sharing
from dlrun.engine.variables import metrics_variables, state_variables
from dlrun.errors import RunDirError


def restore(checkpoint: Checkpoint, model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> Progress:
    """Bring model, optimizers and callbacks to the state of a checkpoint.

    Call it after Keras' own `on_train_begin`, which resets callbacks, and again, for a checkpoint inside an epoch,
    after `on_epoch_begin`. Raises RunDirError when the checkpoint belongs to another model or other callbacks.
    """
    state = checkpoint.state
    for group, variables in state_variables(model).items():
        _assign(checkpoint, group, variables)
    restore_callbacks(callbacks, state["callbacks"], checkpoint.group)
    return Progress(
        list(state["history"]),
        list(state["seconds"]),
        state["best_epoch"],
        checkpoint.group("best") or None,
        bool(state["stopped"]),
        checkpoint.step,
        dict(state["logs"]),
        float(state["elapsed"]),
        list(state.get("rollbacks", [])),
        checkpoint.stage,
        checkpoint.stage_began,
    )


def restore_metrics(checkpoint: Checkpoint, model: keras.Model) -> None:
    """Bring the model's metrics to their values inside an epoch. Raises RunDirError."""
    _assign(checkpoint, "metrics", metrics_variables(model))


def _assign(checkpoint: Checkpoint, group: str, variables: Sequence[Any]) -> None:
    stored = checkpoint.group(group)
    if [array.shape for array in stored] != [tuple(variable.shape) for variable in variables]:
        raise _of_another_model(checkpoint, group)
    for variable, array in zip(variables, stored, strict=True):
        variable.assign(array)


def _of_another_model(checkpoint: Checkpoint, group: str) -> RunDirError:
    devices = count_sharing()
    before = checkpoint.state.get("devices", devices)
    if before == devices:
        return RunDirError(f"the checkpoint's {group} has other variables than this config builds")
    return RunDirError(
        f"each device has a state of its own in this model, and {before} devices shared each batch before",
        received=f"{devices} devices",
        expected=f"{before} devices",
        hint="start a new run, or let as many be seen (CUDA_VISIBLE_DEVICES)",
    )
