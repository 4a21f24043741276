"""Which experiment a config is: what decides the result, without names, places, logging and what the source states."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dlrun.config.changes import ABOUT, LOGGING_CALLBACKS, PACE
from dlrun.config.dumping import plain_config
from dlrun.errors import ConfigError

if TYPE_CHECKING:
    from dlrun.config.schema import Config  # without it: pydantic takes a quarter of a second

FORMAT = 2  # of identities; a run's record says by which one it is to be found
_FILES_OF_DATA = ("path", "test_path")


def identity(config: Config, *, study: bool = False) -> str:
    """Equal for configs whose runs are equal, given equal data and versions; SHA-256 in hexadecimal digits.

    Values that are defaults do not count, so that a new key leaves the runs before it what they are; a default that
    changes needs a new version of dlrun. Of data files only the names count, of plugins the content. A `study` is
    decided by its section `kfold`, too, which a run passes over.
    Raises ConfigError when a plugin cannot be read.
    """
    from dlrun.config.defaults import without_defaults  # here: pydantic takes a quarter of a second

    plugins = _plugins(config)
    return _digest_of(without_defaults(_values(config, study=study), config.plugins), plugins)


def identity_record(config: Config) -> dict[str, Any]:
    """What a run's record says of it."""
    return {"identity": identity(config), "identity_format": FORMAT}


def first_identities(config: Config, known: Collection[str]) -> set[str]:
    """Those of format 1, which counts defaults: by them runs are found whose record has no `identity_format`.

    `known` are the keys of their time (`keys_of`): a later one counts where it is no default. The second takes the
    arguments of components as they are now, for runs whose identity is younger than their config.
    """
    from dlrun.config.defaults import without_defaults

    values, plugins = _values(config, study=False), _plugins(config)
    then = {*known, *keys_of(without_defaults(values, config.plugins))}
    now = {key for key in keys_of(values) if " " in key}
    return {_digest_of(_only(values, keys), plugins) for keys in (then, then | now)}


def _only(values: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The values with these keys."""
    found = {section: value for section, value in values.items() if section in keys}
    for section, value in found.items():
        if isinstance(value, dict):
            found[section] = {key: inner for key, inner in value.items() if _key(section, value, key) in keys}
    return found


def keys_of(values: Mapping[str, Any]) -> set[str]:
    """Sections and the keys in them, those of a component with its name: `training.epochs`, `data imdb.maxlen`."""
    inner = {_key(name, value, key) for name, value in values.items() if isinstance(value, dict) for key in value}
    return {*values, *inner}


def _key(section: str, values: Mapping[str, Any], key: str) -> str:
    return f"{section} {values['name']}.{key}" if "name" in values else f"{section}.{key}"


def _values(config: Config, *, study: bool) -> dict[str, Any]:
    """What decides the result, as YAML values with every default, plugins left aside."""
    values = experiment_values(plain_config(config))
    values.pop("sweep", None)  # a search for other experiments
    if not study:
        values.pop("kfold", None)
    data = values["data"]
    data.pop("dir", None)
    data.update({key: _name(data[key]) for key in _FILES_OF_DATA if data.get(key)})
    return values


def _plugins(config: Config) -> list[str]:
    return sorted(f"{path.name} {_digest(path)}" for path in config.plugins)


def _digest_of(values: dict[str, Any], plugins: list[str]) -> str:
    text = json.dumps({**values, "plugins": plugins}, sort_keys=True, ensure_ascii=False)
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
