"""What the callbacks of a run remember, taken out of them and put back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import keras
import numpy as np

from dlrun.errors import RunDirError

_PRIVATE_STATE = {
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "ModelCheckpoint": ("_batches_seen_since_last_saving", "_last_batch_seen"),
}
_SCALARS = (bool, int, float, str, type(None))


@dataclass
class CallbackStates:
    """The states of a run's callbacks: JSON entries in their order, and arrays `callback<n>/<attribute>/<m>`."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, callbacks: Sequence[keras.callbacks.Callback]) -> CallbackStates:
        """Take the states out of callbacks."""
        states = cls()
        for position, callback in enumerate(callbacks):
            scalars, lists = callback_state(callback)
            lengths = {name: len(items) for name, items in lists.items()}
            states.entries.append({"class": type(callback).__name__, "state": scalars, "arrays": lengths})
            for name, items in lists.items():
                states.arrays |= {f"callback{position}/{name}/{n}": item for n, item in enumerate(items)}
        return states


def restore_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
    entries: Sequence[dict[str, Any]],
    arrays: Callable[[str], list[np.ndarray]],
) -> None:
    """Put the states back; `arrays` gives those of a group. Raises RunDirError when they are of other callbacks."""
    names = [type(callback).__name__ for callback in callbacks]
    saved = [entry["class"] for entry in entries]
    if names != saved:
        raise RunDirError("the checkpoint has other callbacks", received=", ".join(names), expected=", ".join(saved))
    for position, (callback, entry) in enumerate(zip(callbacks, entries, strict=True)):
        lists = {name: arrays(f"callback{position}/{name}") for name in entry["arrays"]}
        set_callback_state(callback, entry["state"], lists)


def callback_state(callback: keras.callbacks.Callback) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
    """What a callback remembers: scalars, and lists of arrays (such as EarlyStopping's best weights).

    A callback with its own `state_dict` is asked; of others the public attributes are taken, for Keras keeps the state
    of its callbacks there. Those named like an argument of the constructor are settings, not state (Keras changes the
    sign of `min_delta` in place).
    """
    if hasattr(callback, "state_dict"):
        return dict(callback.state_dict()), {}
    scalars: dict[str, Any] = {}
    lists: dict[str, list[np.ndarray]] = {}
    settings = signature(type(callback)).parameters
    for name, value in vars(callback).items():
        private = name.startswith("_") and name not in _PRIVATE_STATE.get(type(callback).__name__, ())
        if private or name in settings or name in ("params", "model", "validation_data"):
            continue
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, _SCALARS):
            scalars[name] = value
        elif isinstance(value, list) and value and all(isinstance(item, np.ndarray) for item in value):
            lists[name] = value
    return scalars, lists


def set_callback_state(
    callback: keras.callbacks.Callback, scalars: dict[str, Any], lists: dict[str, list[np.ndarray]]
) -> None:
    """The reverse of `callback_state`."""
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(scalars)
        return
    for name, value in {**scalars, **lists}.items():
        setattr(callback, name, value)
