"""The callbacks of a run that the config names: Keras' own, dlrun's and those of plugins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import keras

from dlrun.config.schema import Component
from dlrun.engine.projector import TensorBoard
from dlrun.engine.resolve import Experiment, builder_error
from dlrun.errors import ConfigError, DlrunError, Key, did_you_mean, listing
from dlrun.files import first_line, write_text
from dlrun.keras_names import CALLBACK_PATHS
from dlrun.registry import CALLBACKS


def make_callbacks(
    experiment: Experiment, monitor: tuple[str, str], logged: Sequence[str] = ()
) -> list[keras.callbacks.Callback]:
    """Callbacks by name. The config's `monitor` is the default of every callback that monitors something, and paths of
    Keras' own lead into the run.

    Raises ConfigError when there is no such callback, when it refuses its arguments, or when one monitors what is not
    among the names `logged` (unless that is empty: not known).
    """
    monitored = dict(zip(("monitor", "mode"), monitor, strict=True))
    return [
        _make_callback(component, ("callbacks", position), experiment, monitored, logged)
        for position, component in enumerate(experiment.config.callbacks)
    ]


def _make_callback(
    component: Component, key: Key, experiment: Experiment, monitored: dict[str, str], logged: Sequence[str]
) -> keras.callbacks.Callback:
    cls = getattr(keras.callbacks, component.name, None)
    of_keras = isinstance(cls, type) and issubclass(cls, keras.callbacks.Callback)
    builder: Any = cls if of_keras else CALLBACKS.get(component.name)
    accepted = signature(builder).parameters
    arguments = dict(component.parameters)
    if "monitor" in accepted and arguments.get("monitor") is None:
        stated = {name: value for name, value in arguments.items() if name not in monitored or value is not None}
        arguments = {name: value for name, value in monitored.items() if name in accepted} | stated
    watched = str(arguments.get("monitor", ""))
    if watched and logged and watched not in logged:
        hint = did_you_mean(watched, logged)
        raise ConfigError(f"{watched} is not logged", key=(*key, "monitor"), expected=listing(logged), hint=hint)
    if not of_keras:
        return _make_own(builder, component.name, key, experiment, arguments)
    arguments = _paths_into(experiment.run.path, component.name, arguments)
    if arguments.get("embeddings_metadata"):
        message, hint = "dlrun writes the words of embeddings itself", "remove this argument"
        raise ConfigError(message, key=(*key, "embeddings_metadata"), hint=hint)
    try:
        if cls is keras.callbacks.TensorBoard:
            return TensorBoard(words=experiment.data.encoder.word_ids(), **arguments)
        return builder(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Keras refuses the arguments of {component.name}: {first_line(error)}", key=key) from error


def _make_own(
    builder: Callable[..., Any], name: str, key: Key, experiment: Experiment, arguments: dict[str, Any]
) -> keras.callbacks.Callback:
    """A callback of dlrun or a plugin. Raises ConfigError for whatever its builder raises."""
    try:
        callback = builder(experiment, **arguments)
    except DlrunError:
        raise
    except (Exception, SystemExit) as error:  # boundary: a plugin's code
        raise builder_error("callbacks", name, builder, error, key) from error
    if not isinstance(callback, keras.callbacks.Callback):
        message = f"the callback {name!r} is a {type(callback).__name__}"
        raise ConfigError(message, key=(*key, "name"), expected="a keras.callbacks.Callback")
    return callback


def _paths_into(folder: Path, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Paths that a callback writes to, inside the run unless they are absolute."""
    if name not in CALLBACK_PATHS:
        return arguments
    argument, default = CALLBACK_PATHS[name]
    path = folder / str(arguments.get(argument) or default)
    path.parent.mkdir(parents=True, exist_ok=True)
    return {**arguments, argument: str(path)}


def csv_logs(callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.CSVLogger]:
    """The callbacks that begin a CSV file with a run, rather than append to what is there."""
    return [one for one in callbacks if isinstance(one, keras.callbacks.CSVLogger) and not one.append]


def continue_logs(logs: Sequence[keras.callbacks.CSVLogger], epochs: int) -> None:
    """Let CSV files go on after so many epochs, without the rows of later ones: Keras would begin them anew."""
    for log in logs:
        log.append = True
        path = Path(log.filename)
        if path.is_file():
            rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows[1:] if _epoch_of(row, log.sep) < epochs]
            write_text(path, "".join([rows[0], *kept]) if kept else "")


def _epoch_of(row: str, separator: str) -> float:
    """The epoch that a row begins with, counted from 0; of a damaged one infinity."""
    first = row.partition(separator)[0]
    return int(first) if first.isdigit() else math.inf
