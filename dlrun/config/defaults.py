"""A config without the values that are defaults: what is left when nobody writes what goes without saying."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dlrun import keras_names
from dlrun.config.arguments import literal_defaults
from dlrun.config.parameters import AUGMENTATIONS, BUILDERS
from dlrun.config.schema import Config
from dlrun.config.sections import Model, model_of
from dlrun.registry import CALLBACKS
from dlrun.signatures import Parameter

_NONE = object()  # equals no value


def without_defaults(values: Mapping[str, Any], plugins: Sequence[Path]) -> dict[str, Any]:
    """The values of a config but those that its schema, a builder or Keras has anyway; `plugins` may hold builders.

    Raises UnknownNameError for a builder that is not there.
    """
    found = dict(values)
    for section in BUILDERS:
        if isinstance(found.get(section), dict):
            found[section] = _other_than(found[section], _parameters(section, found[section]["name"], tuple(plugins)))
    if isinstance(found.get("optimizer"), dict):
        found["optimizer"] = _of_keras("optimizers", found["optimizer"])
    found["callbacks"] = [_callback(one, tuple(plugins)) for one in found.get("callbacks") or []]
    return _section(found, Config)


@functools.cache
def _parameters(section: str, name: str, plugins: tuple[Path, ...]) -> list[Parameter]:
    registry = CALLBACKS if section == "callbacks" else BUILDERS[section]
    return list(registry.describe(name, plugins).signature.keyword_parameters().values())


def _callback(values: Mapping[str, Any], plugins: tuple[Path, ...]) -> dict[str, Any]:
    if keras_names.canonical("callbacks", str(values["name"])) is not None:
        return _of_keras("callbacks", values)
    return _other_than(values, _parameters("callbacks", values["name"], plugins))


def _section(values: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """A section without the defaults of the schema; keys that it does not list are a builder's and stay."""
    found = {}
    for name, value in values.items():
        field = model.model_fields.get(name)
        if field is None:
            found[name] = value
            continue
        value = _inside(value, field.annotation)
        if field.is_required() or value != _inside(_plain_default(field), field.annotation):
            found[name] = value
    return found


def _plain_default(field: FieldInfo) -> Any:
    default = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg]
    return default.model_dump() if isinstance(default, BaseModel) else default


def _inside(value: Any, annotation: Any) -> Any:
    """A value without the defaults of the section that it is, or of those in its list or mapping."""
    inner = model_of(annotation)
    if inner is not None and isinstance(value, list):
        return [_section(one, inner) for one in value]
    if inner is None or not isinstance(value, dict):
        return value
    if typing.get_origin(annotation) is dict:
        return {name: _section(one, inner) for name, one in value.items()}
    return _section(value, inner)


def _of_keras(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    known = keras_names.canonical(kind, str(values["name"])) is not None
    return _other_than(values, keras_names.signature(kind, values["name"]).parameters) if known else dict(values)


def _other_than(values: Mapping[str, Any], parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Arguments without those that are defaults of the parameters; `name` is not one of them."""
    defaults = literal_defaults(parameters)
    found = {key: value for key, value in values.items() if key == "name" or defaults.get(key, _NONE) != value}
    if isinstance(found.get("augment"), dict):
        found["augment"] = _other_than(found["augment"], AUGMENTATIONS.values())
    return found
