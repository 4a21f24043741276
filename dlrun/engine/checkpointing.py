"""Checkpoints from which a run continues exactly: weights, optimizers, seeds, callbacks, history, best weights.

Layout: `checkpoint/<epoch>/state.json` and `arrays.npz`. A generation is written under a temporary name, flushed and
renamed; the two newest are kept, so a crash at any moment leaves a whole one.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun.errors import RunDirError

FORMAT = 1
KEPT = 2
_PRIVATE_STATE = {"SwapEMAWeights": ("_ema_weights_in_model",)}
_SCALARS = (bool, int, float, str, type(None))


@dataclass
class Progress:
    """How far a run is: rows of history (epoch 1 first), seconds per epoch, and the best epoch so far."""

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int | None = None  # counted from 1
    best_weights: list[np.ndarray] | None = None
    stopped: bool = False  # a callback ended training

    @property
    def epochs(self) -> int:
        return len(self.history)


def state_variables(model: keras.Model) -> dict[str, list[Any]]:
    """Every variable a run changes, by group: the model's (seed generators included) and each optimizer's.

    Optimizers are `model.optimizer` and any other that is an attribute of the model, as with a GAN's two.
    """
    optimizers = [getattr(model, "optimizer", None), *vars(model).values()]
    unique = {id(o): o for o in optimizers if isinstance(o, keras.optimizers.Optimizer)}
    groups = {"model": list(model.variables)}
    for number, optimizer in enumerate(unique.values()):
        groups[f"optimizer{number}"] = list(optimizer.variables)
    return groups


def save(folder: Path, model: keras.Model, callbacks: Sequence[keras.callbacks.Callback], progress: Progress) -> None:
    """Write a generation for the epochs done so far."""
    arrays = {
        f"{group}/{number}": _plain(keras.ops.convert_to_numpy(variable))
        for group, variables in state_variables(model).items()
        for number, variable in enumerate(variables)
    }
    arrays |= {f"best/{number}": _plain(array) for number, array in enumerate(progress.best_weights or [])}
    states = []
    for position, callback in enumerate(callbacks):
        scalars, lists = callback_state(callback)
        states.append(
            {"class": type(callback).__name__, "state": scalars, "arrays": {k: len(v) for k, v in lists.items()}}
        )
        for name, items in lists.items():
            arrays |= {f"callback{position}/{name}/{n}": _plain(item) for n, item in enumerate(items)}
    state = {
        "format": FORMAT,
        "epoch": progress.epochs,
        "history": progress.history,
        "seconds": progress.seconds,
        "best_epoch": progress.best_epoch,
        "stopped": progress.stopped,
        "callbacks": states,
    }
    _write_generation(folder, progress.epochs, state, arrays)


def _write_generation(folder: Path, epoch: int, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    folder.mkdir(exist_ok=True)
    for left_behind in folder.glob(".*.tmp"):  # by a process that died while writing; the run's lock keeps others out
        shutil.rmtree(left_behind, ignore_errors=True)
    temporary = folder / f".{epoch}.tmp"
    temporary.mkdir()
    with (temporary / "arrays.npz").open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        stream.flush()
        os.fsync(stream.fileno())
    with (temporary / "state.json").open("w", encoding="utf-8") as text:
        json.dump(state, text)
        text.flush()
        os.fsync(text.fileno())
    target = folder / f"{epoch:06d}"
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    for old in generations(folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def generations(folder: Path) -> list[Path]:
    """Finished generations, newest first."""
    return sorted((p for p in folder.glob("[0-9]*") if p.is_dir()), reverse=True) if folder.is_dir() else []


@dataclass(frozen=True)
class Checkpoint:
    """A generation read back: its state and its arrays."""

    state: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return int(self.state["epoch"])

    @property
    def stopped(self) -> bool:
        """Whether a callback had ended training."""
        return bool(self.state["stopped"])

    def group(self, name: str) -> list[np.ndarray]:
        """The arrays `name/0`, `name/1`, ... in order."""
        count = sum(key.startswith(f"{name}/") for key in self.arrays)
        return [self.arrays[f"{name}/{number}"] for number in range(count)]


def read(folder: Path) -> Checkpoint:
    """The newest whole generation. Raises RunDirError when there is none or it has a newer format."""
    for generation in generations(folder):
        try:
            state = json.loads((generation / "state.json").read_text(encoding="utf-8"))
            with np.load(generation / "arrays.npz", allow_pickle=False) as file:
                arrays = dict(file)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
        if state["format"] > FORMAT:
            raise RunDirError(f"the checkpoint {generation} has format {state['format']}", expected=f"format {FORMAT}")
        return Checkpoint(state, arrays)
    raise RunDirError(
        f"there is no whole checkpoint in {folder}", hint="start the run again: dlrun train on its config.yaml"
    )


def restore(checkpoint: Checkpoint, model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> Progress:
    """Bring model, optimizers and callbacks to the state of a checkpoint.

    Call it after Keras' own `on_train_begin`, which resets callbacks. Raises RunDirError when the checkpoint belongs to
    another model or other callbacks.
    """
    state = checkpoint.state
    for group, variables in state_variables(model).items():
        stored = checkpoint.group(group)
        if [array.shape for array in stored] != [tuple(variable.shape) for variable in variables]:
            raise RunDirError(f"the checkpoint's {group} has other variables than this config builds")
        for variable, array in zip(variables, stored, strict=True):
            variable.assign(array)
    names = [type(callback).__name__ for callback in callbacks]
    saved = [entry["class"] for entry in state["callbacks"]]
    if names != saved:
        raise RunDirError("the checkpoint has other callbacks", received=", ".join(names), expected=", ".join(saved))
    for position, (callback, entry) in enumerate(zip(callbacks, state["callbacks"], strict=True)):
        lists = {name: checkpoint.group(f"callback{position}/{name}") for name in entry["arrays"]}
        set_callback_state(callback, entry["state"], lists)
    best = checkpoint.group("best")
    return Progress(
        list(state["history"]), list(state["seconds"]), state["best_epoch"], best or None, bool(state["stopped"])
    )


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


def _plain(array: np.ndarray) -> np.ndarray:
    """The array in a type that npz keeps: bfloat16 becomes float32, which holds it exactly."""
    return array.astype("float32") if array.dtype.name == "bfloat16" else array
