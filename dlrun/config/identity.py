"""Which experiment a config is: what decides the result, without names, places, logging and what the source states."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath
from typing import Any

from dlrun.config.changes import ABOUT, LOGGING_CALLBACKS, PACE
from dlrun.config.dumping import plain_config
from dlrun.config.schema import Config
from dlrun.errors import ConfigError

_FILES_OF_DATA = ("path", "test_path")


def identity(config: Config, *, study: bool = False) -> str:
    """Equal for configs whose runs are equal, given equal data and versions; SHA-256 in hexadecimal digits.

    Of data files only the names count, of plugins the content. A `study` is decided by its section `kfold`, too, which
    a run passes over. Raises ConfigError when a plugin cannot be read.
    """
    values = experiment_values(plain_config(config))
    values.pop("sweep", None)  # a search for other experiments
    if not study:
        values.pop("kfold", None)
    data = values["data"]
    data.pop("dir", None)
    data.update({key: _name(data[key]) for key in _FILES_OF_DATA if data.get(key)})
    values["plugins"] = sorted(f"{path.name} {_digest(path)}" for path in config.plugins)
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def experiment_values(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a config in which two experiments may differ; callbacks that only log are left out."""
    found = {key: value for key, value in values.items() if key not in ("format", "name", *ABOUT)}
    training = [key.removeprefix("training.") for key in PACE]
    found["training"] = {key: value for key, value in found["training"].items() if key not in training}
    found["callbacks"] = [one for one in found.get("callbacks") or [] if one.get("name") not in LOGGING_CALLBACKS]
    return found


def _name(path: Any) -> Any:
    return [_name(item) for item in path] if isinstance(path, list) else PurePath(str(path)).name


def _digest(path: Any) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
