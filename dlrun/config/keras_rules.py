"""What Keras itself would refuse, or silently read as something else, only once the run has begun."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlrun import keras_names
from dlrun.config.nodes import Report, dotted, show_value
from dlrun.errors import Key, did_you_mean

_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
_MODES = ("auto", "min", "max")


def check_keras_rules(report: Report, plain: dict[str, Any]) -> None:
    """Report what the optimizer and the callbacks would refuse. Values of a wrong type are passed over."""
    optimizer = plain["optimizer"] if isinstance(plain.get("optimizer"), dict) else {}
    _check_optimizer(report, optimizer)
    _check_rollback(report, plain.get("training"), optimizer)
    for key, callback in _callbacks(plain):
        _check_mode(report, key, callback)
        _check_saving(report, key, callback)
        _check_with_optimizer(report, key, str(callback.get("name")), optimizer)


def _callbacks(plain: dict[str, Any]) -> Iterator[tuple[Key, dict[str, Any]]]:
    listed = plain.get("callbacks")
    for index, callback in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(callback, dict):
            yield ("callbacks", index), callback


def _check_optimizer(report: Report, optimizer: dict[str, Any]) -> None:
    clips = [name for name in _CLIPS if optimizer.get(name) is not None]
    if len(clips) > 1:
        message = f"the optimizer takes one of {', '.join(_CLIPS)}"
        report.add(("optimizer", clips[1]), message, on="key", received=" and ".join(clips), hint="keep one of them")
    rate = optimizer.get("learning_rate")
    steps = rate.get("PiecewiseConstantDecay") if isinstance(rate, dict) else None
    if isinstance(steps, dict) and isinstance(steps.get("values"), list) and isinstance(steps.get("boundaries"), list):
        values, boundaries = len(steps["values"]), len(steps["boundaries"])
        if values != boundaries + 1:
            key: Key = ("optimizer", "learning_rate", "PiecewiseConstantDecay", "values")
            expected = f"{boundaries + 1}, one more than there are boundaries"
            report.add(key, f"{dotted(key)} has the wrong length", received=f"{values} values", expected=expected)


def _check_rollback(report: Report, training: Any, optimizer: dict[str, Any]) -> None:
    rolls_back = isinstance(training, dict) and training.get("on_nan") == "rollback"
    if rolls_back and isinstance(optimizer.get("learning_rate"), dict):
        message = "training.on_nan: rollback halves the learning rate, and optimizer.learning_rate is a schedule"
        report.add(("training", "on_nan"), message, hint="give optimizer.learning_rate a number, or leave on_nan out")


def _check_mode(report: Report, key: Key, callback: dict[str, Any]) -> None:
    mode = callback.get("mode")
    if mode is not None and mode not in _MODES:  # Keras only warns, and takes auto
        message = f"{dotted((*key, 'mode'))} is not one of {', '.join(_MODES)}"
        report.add((*key, "mode"), message, received=show_value(mode), hint=did_you_mean(mode, _MODES))


def _check_saving(report: Report, key: Key, callback: dict[str, Any]) -> None:
    name = callback.get("name")
    frequency = callback.get("save_freq")
    if name == "BackupAndRestore":  # it would set the epoch a resumed run begins with
        message = "a run keeps its own checkpoints, which BackupAndRestore would work against"
        report.add((*key, "name"), message, hint="remove it; `dlrun train --resume RUN` goes on with a run")
    if name == "ModelCheckpoint" and isinstance(frequency, str) and frequency != "epoch":
        where = (*key, "save_freq")
        report.add(where, f"{dotted(where)} is neither `epoch` nor a number of batches", received=show_value(frequency))
    if name != "ModelCheckpoint":
        return
    path, weights = callback.get("filepath"), callback.get("save_weights_only") is True
    endings = (".weights.h5",) if weights else (".keras", ".h5")
    path = keras_names.CALLBACK_PATHS["ModelCheckpoint"][1] if path is None else path
    if isinstance(path, str) and not path.endswith(endings):
        what = "weights alone" if weights else "whole models"
        message = f"ModelCheckpoint keeps {what} in files that end in {' or '.join(endings)}"
        report.add((*key, "filepath"), message, received=path, hint=f"write filepath: {{epoch:03d}}{endings[0]}")


def _check_with_optimizer(report: Report, key: Key, name: str, optimizer: dict[str, Any]) -> None:
    if name == "ReduceLROnPlateau" and isinstance(optimizer.get("learning_rate"), dict):
        message = (
            "ReduceLROnPlateau sets the learning rate, and optimizer.learning_rate is a schedule that sets it, too"
        )
        report.add((*key, "name"), message, hint="keep one of them")
    if name == "SwapEMAWeights" and optimizer.get("use_ema") is not True:
        message = "SwapEMAWeights needs an optimizer that keeps averages of the weights"
        report.add((*key, "name"), message, hint="add `use_ema: true` to the section optimizer")
