"""`.keras` files read as what they are: archives that may come from anywhere."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from dlrun.data._archives import open_zip
from dlrun.errors import DataError, RunDirError, listing
from dlrun.files import first_line
from dlrun.keeping import check_model

ESTIMATOR = ".skops"  # the ending of an estimator's file

MOST_CONFIG_BYTES = 64 * 2**20  # of the description of the layers; a large language model has less than one
_CONFIG = "config.json"
_CODE = "__lambda__"  # Keras' mark of a Python function in the file


def load_model(path: Path) -> keras.Model:
    """A model from a `.keras` file, in Keras' safe mode, once the archive was looked at. Raises RunDirError."""
    check_model(path)
    if path.suffix == ESTIMATOR:
        raise RunDirError(f"{path.name} is an estimator of scikit-learn, and this is for models of Keras")
    _check_archive(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # boundary: Keras on a file of any content, and the classes that the file names
        raise RunDirError(f"{path} cannot be loaded by Keras: {first_line(error)}") from error


def load_predictor(path: Path) -> Any:
    """A model from a `.keras` file, or an estimator that predicts as one. Raises RunDirError."""
    if path.suffix != ESTIMATOR:
        return load_model(path)
    check_model(path)
    from dlrun.engine.estimators import load_estimator  # here: scikit-learn takes a second to import

    return load_estimator(path)


def _check_archive(path: Path) -> None:
    """Raises RunDirError for what is no archive of a model, grows beyond measure, leads out, or holds code."""
    if not zipfile.is_zipfile(path):
        raise RunDirError(f"{path} is damaged, or not a .keras file")
    try:
        with open_zip(path) as archive:
            if _CONFIG not in archive.namelist():
                raise RunDirError(f"{path} is not a .keras file: it holds no {_CONFIG}")
            if archive.getinfo(_CONFIG).file_size > MOST_CONFIG_BYTES:
                raise RunDirError(f"{path}: the description of the model is larger than {MOST_CONFIG_BYTES >> 20} MiB")
            config = json.loads(archive.read(_CONFIG))
        holders = list(dict.fromkeys(_holders_of_code(config, "")))
    except DataError as error:
        raise RunDirError(problems=error.problems) from error
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
        raise RunDirError(f"{path} is damaged: {first_line(error)}") from error
    if holders:
        raise RunDirError(
            f"{path}: {listing(holders, 3)} holds Python code (a Lambda), which dlrun does not run from a file",
            hint="write it as a layer of your own in a plugin (docs/plugins.md), and train the model with that",
        )


def _holders_of_code(config: Any, above: str) -> Iterator[str]:
    """The names of the objects in a config of Keras that have a Python function in them."""
    if isinstance(config, dict):
        if config.get("class_name") == _CODE:
            yield above or "the model"
        own = config.get("config")
        if isinstance(own, dict) and isinstance(own.get("name"), str):
            above = f"the {config.get('class_name')} {own['name']!r}"
        config = list(config.values())
    for value in config if isinstance(config, list) else []:
        yield from _holders_of_code(value, above)
