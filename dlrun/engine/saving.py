"""Models as `.keras` files."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from dlrun.errors import RunDirError, listing
from dlrun.run_dir import RunDir


def save_models(run: RunDir, which: str, models: dict[str, keras.Model]) -> None:
    """Save models as `<which>.keras` (the name "") or `<which>-<name>.keras`, whole or not at all.

    Raises RunDirError when the disk does not take one.
    """
    for name, model in models.items():
        path = run.model_file(which, name)
        with replacing(path) as temporary:
            model.save(temporary)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name that a library writes to, which then takes the place of `path`: whole or not at all.

    Raises RunDirError when the disk does not take it.
    """
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise RunDirError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def loading_trouble(model: keras.Model) -> str | None:
    """Why a file of this model could not be loaded, in one line; None when nothing speaks against it.

    A model that consists of Keras' own classes is not looked at further (1 ms for a small one); others are made anew
    from their config, as loading does.
    """
    try:
        config = keras.saving.serialize_keras_object(model)
        own = [found for found in _classes(config) if not (found["module"] or "").startswith("keras")]
        lost = {found["class_name"]: None for found in own if not _is_registered(found)}
        if lost:
            return f"{listing(lost, 3)} is not registered: put @keras.saving.register_keras_serializable() above it"
        if own or any(found["class_name"] == "Lambda" for found in _classes(config)):
            _make_anew(config)
    except Exception as error:  # boundary: the user's layers, get_config and from_config
        return str(error).strip().rpartition("Exception encountered: ")[2].partition("\n")[0] or type(error).__name__
    return None


def _classes(config: Any) -> Iterator[dict[str, Any]]:
    """Every object in a config of Keras, outer ones first."""
    if isinstance(config, dict):
        if config.keys() >= {"module", "class_name", "registered_name"}:
            yield config
        for value in config.values():
            yield from _classes(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _classes(value)


def _is_registered(found: dict[str, Any]) -> bool:
    return found["module"] == "builtins" or keras.saving.get_registered_object(found["registered_name"]) is not None


def _make_anew(config: dict[str, Any]) -> None:
    state = random.getstate()  # Keras draws seeds from here, and a run must not depend on this look
    try:
        keras.saving.deserialize_keras_object(config, safe_mode=True)
    finally:
        random.setstate(state)
