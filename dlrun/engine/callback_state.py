"""What the callbacks of a run remember, taken out of them and put back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import keras
import numpy as np

from dlrun.config.changes import LOGGING_CALLBACKS
from dlrun.errors import RunDirError

_PRIVATE_STATE = {
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "ModelCheckpoint": ("_batches_seen_since_last_saving", "_last_batch_seen"),
}
_SCALARS = (bool, int, float, str, type(None))
_NOT_STATE = ("params", "model", "validation_data", "monitor_op")  # what Keras puts in there anew


@dataclass
class CallbackStates:
    """The states of a run's callbacks: JSON entries in their order, and arrays `callback<n>/<attribute>/<m>`."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, callbacks: Sequence[keras.callbacks.Callback]) -> CallbackStates:
        """Take the states out of callbacks; those that only log have none."""
        states = cls()
        for position, callback in enumerate(_acting(callbacks)):
            values, lists = callback_state(callback)
            lengths = {name: len(items) for name, items in lists.items()}
            state = copy.deepcopy(values)  # what is kept in memory must not change with the callback
            states.entries.append({"class": type(callback).__name__, "state": state, "arrays": lengths})
            for name, items in lists.items():
                states.arrays |= {f"callback{position}/{name}/{n}": item for n, item in enumerate(items)}
        return states


def restore_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
    entries: Sequence[dict[str, Any]],
    arrays: Callable[[str], list[np.ndarray]],
) -> None:
    """Put the states back; `arrays` gives those of a group. Raises RunDirError when they are of other callbacks."""
    acting = _acting(callbacks)
    saved = [(position, entry) for position, entry in enumerate(entries) if entry["class"] not in LOGGING_CALLBACKS]
    names, expected = [type(callback).__name__ for callback in acting], [entry["class"] for _, entry in saved]
    if names != expected:
        raise RunDirError("the checkpoint has other callbacks", received=", ".join(names), expected=", ".join(expected))
    for callback, (position, entry) in zip(acting, saved, strict=True):
        lists = {name: arrays(f"callback{position}/{name}") for name in entry["arrays"]}
        set_callback_state(callback, entry["state"], lists)


def _acting(callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """Those that do not only write what they see: a run may go on with others of these."""
    return [callback for callback in callbacks if type(callback).__name__ not in LOGGING_CALLBACKS]


def callback_state(callback: keras.callbacks.Callback) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
    """What a callback remembers: values as in JSON, and lists of arrays (such as EarlyStopping's best weights).

    A callback with its own `state_dict` is asked; of others the public attributes are taken, for Keras keeps the state
    of its callbacks there. Those named like an argument of the constructor are settings, not state (Keras changes the
    sign of `min_delta` in place).
    """
    if hasattr(callback, "state_dict"):
        return dict(callback.state_dict()), {}
    values: dict[str, Any] = {}
    lists: dict[str, list[np.ndarray]] = {}
    for name, value in _attributes(callback).items():
        if _like_json(value):
            values[name] = value
        elif _arrays(value):
            lists[name] = value
    return values, lists


def unsaved_state(callbacks: Sequence[keras.callbacks.Callback]) -> list[str]:
    """Sentences that name what callbacks remember in a form that cannot be saved; empty when there is none."""
    return [
        f"{type(callback).__name__} keeps `{name}` as {type(value).__name__}, which a checkpoint cannot hold "
        "(state_dict and load_state_dict can give it)"
        for callback in _acting(callbacks)
        if not hasattr(callback, "state_dict")
        for name, value in _attributes(callback).items()
        if not _like_json(value) and not _arrays(value) and not callable(value)
    ]


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The attributes that are state; NumPy's numbers as Python's."""
    settings = signature(type(callback)).parameters
    private = _PRIVATE_STATE.get(type(callback).__name__, ())
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(callback).items()
        if name in private or not (name.startswith("_") or name in settings or name in _NOT_STATE)
    }


def _like_json(value: Any) -> bool:
    """Whether JSON gives the value back as it was."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_like_json, value.values()))
    return all(map(_like_json, value)) if isinstance(value, list) else type(value) in _SCALARS


def _arrays(value: Any) -> bool:
    """Whether it is a list as Keras' `get_weights` gives, in which a weight `()` is a number of NumPy's."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, np.ndarray | np.generic) for item in value)


def set_callback_state(
    callback: keras.callbacks.Callback, values: dict[str, Any], lists: dict[str, list[np.ndarray]]
) -> None:
    """The reverse of `callback_state`."""
    values, lists = copy.deepcopy((values, lists))  # a state in memory may be put back again
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(values)
        return
    for name, value in {**values, **lists}.items():
        setattr(callback, name, value)
