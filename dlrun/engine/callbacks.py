"""The callbacks of a run that the config names: Keras' own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import keras

from dlrun.config.schema import Component, Config
from dlrun.errors import ConfigError, did_you_mean, listing
from dlrun.files import first_line, write_text
from dlrun.keras_names import CALLBACK_PATHS
from dlrun.run_dir import RunDir


def make_callbacks(
    config: Config, run: RunDir, monitor: tuple[str, str], logged: Sequence[str] = ()
) -> list[keras.callbacks.Callback]:
    """Keras callbacks by name. The config's `monitor` is the default of every callback that monitors something, and
    paths lead into the run.

    Raises ConfigError when Keras has no such callback or refuses the arguments, or when one monitors what is not among
    the names `logged` (unless that is empty: not known).
    """
    return [
        _make_callback(component, position, run, dict(zip(("monitor", "mode"), monitor, strict=True)), logged)
        for position, component in enumerate(config.callbacks)
    ]


def _make_callback(
    component: Component, position: int, run: RunDir, monitored: dict[str, str], logged: Sequence[str]
) -> keras.callbacks.Callback:
    cls = getattr(keras.callbacks, component.name, None)
    key = ("callbacks", position)
    if not (isinstance(cls, type) and issubclass(cls, keras.callbacks.Callback)):
        raise ConfigError(f"Keras has no callback {component.name}", key=(*key, "name"))
    accepted = signature(cls).parameters
    arguments = dict(component.parameters)
    if "monitor" in accepted and "monitor" not in arguments:
        arguments = {name: value for name, value in monitored.items() if name in accepted} | arguments
    watched = str(arguments.get("monitor", ""))
    if watched and logged and watched not in logged:
        hint = did_you_mean(watched, logged)
        raise ConfigError(f"{watched} is not logged", key=(*key, "monitor"), expected=listing(logged), hint=hint)
    arguments = _paths_into(run.path, component.name, arguments)
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Keras refuses the arguments of {component.name}: {first_line(error)}", key=key) from error


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
