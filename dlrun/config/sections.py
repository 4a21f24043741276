"""The keys of a config against `schema`: unknown, missing, empty, of the wrong type or out of range, in plain words."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dlrun.config.arguments import check_type
from dlrun.config.dumping import flow
from dlrun.config.nodes import Report, dotted, show_value
from dlrun.config.parameters import absolute
from dlrun.config.schema import FORMAT, Component, Config, Section
from dlrun.config.types import from_annotation
from dlrun.errors import Key, did_you_mean, listing

Model = type[Section] | type[Component]
_BEFORE_SCHEMA = ("extends",)  # read by `extending`, no field of the model


def build_config(report: Report, plain: dict[str, Any]) -> Config | None:
    """The Config of a mapping; None when anything is wrong, which then stands in the report."""
    plain = dict(plain)
    _check_format(report, plain)
    values = _section(report, (), plain, Config)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            _add_pydantic(report, details, values)
        return None
    return None if report.problems else config


def _check_format(report: Report, plain: dict[str, Any]) -> None:
    found = plain.get("format", FORMAT)
    if found == FORMAT and not isinstance(found, bool):
        return
    newer = isinstance(found, int) and found > FORMAT
    report.add(
        ("format",),
        "this config has a newer format than this dlrun reads"
        if newer
        else "format is not the version of a config format",
        received=str(found),
        expected=str(FORMAT),
        hint="update dlrun" if newer else "remove the line",
    )
    del plain["format"]


def model_of(annotation: Any) -> Model | None:
    """The section model in an annotation such as `Fold | None`."""
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Section | Component):
            return candidate
    return None


def _section(report: Report, key: Key, values: dict[Any, Any], model: Model) -> dict[Any, Any]:
    """What is usable of a section; the rest goes into the report."""
    kept: dict[Any, Any] = {}
    fields = model.model_fields
    for name, value in values.items():
        where = (*key, name)
        if name in fields:
            if (converted := _field(report, where, fields[name], value)) is not None or value is None:
                kept[name] = converted
        elif issubclass(model, Component):
            kept[name] = value  # a parameter of the builder, checked against its signature
        else:
            _unknown_key(report, where, [*fields, *(_BEFORE_SCHEMA if not key else ())])
    for name, field in fields.items():
        if field.is_required() and name not in values:
            _missing_key(report, key, name, values)
    return kept


def _field(report: Report, key: Key, field: FieldInfo, value: Any) -> Any:
    inner = model_of(field.annotation)
    listed = typing.get_origin(field.annotation) is list and inner is not None
    if key[-1] in ("loss", "metrics") and (len(key) == 1 or key[0] == "outputs") and report.reported(key):
        return None  # told in more detail
    if inner is None:
        return _absolute_paths(report, key, check_type(report, key, value, from_annotation(field.annotation)))
    if value is None:
        hint = (
            "write [] for none"
            if listed
            else f"add a key below it ({listing(inner.model_fields, 4)}), or remove the line"
        )
        report.add(key, f"{dotted(key)} is empty", on="key", expected="a list" if listed else "a mapping", hint=hint)
        return None
    if listed:
        if not isinstance(value, list):
            report.add(
                key, f"{dotted(key)} is not a list", received=show_value(value), hint="write `- name: ...` below it"
            )
            return None
        return [_entry(report, (*key, index), item, inner) for index, item in enumerate(value)]
    if typing.get_origin(field.annotation) is dict and isinstance(value, dict):
        return {str(name): _named_entry(report, (*key, name), item, inner) for name, item in value.items()}
    return _entry(report, key, value, inner)


def _named_entry(report: Report, key: Key, value: Any, model: Model) -> Any:
    """An entry of a mapping by names, which may be empty for the defaults."""
    return {} if value == {} else _entry(report, key, value, model)


def _entry(report: Report, key: Key, value: Any, model: Model) -> Any:
    if isinstance(value, dict) and value:
        return _section(report, key, value, model)
    if isinstance(value, dict) and not issubclass(model, Component):
        report.add(
            key,
            f"{dotted(key)} is empty",
            expected=listing(model.model_fields),
            hint="remove the line for the defaults",
        )
        return None
    if isinstance(value, dict):
        return _section(report, key, value, model)
    expected = f"a mapping with {listing(model.model_fields)}"
    hint = None
    if issubclass(model, Component):
        expected = "a name, or a mapping with `name` and its parameters"
        if isinstance(value, int | float):
            hint = "put it in quotes if it is meant as a name"
    report.add(key, f"{dotted(key)} is not a mapping", received=show_value(value), expected=expected, hint=hint)
    return None


def _absolute_paths(report: Report, key: Key, value: Any) -> Any:
    if isinstance(value, list):
        return [_absolute_paths(report, (*key, index), item) for index, item in enumerate(value)]
    is_path = key == ("data", "dir") or key[:1] == ("plugins",)
    return str(absolute(report, key, value)) if is_path and isinstance(value, str) else value


def _unknown_key(report: Report, key: Key, known: list[str]) -> None:
    if key == ("extends",):  # files had theirs taken out when they were read
        report.add(key, "extends can only stand in a config file", on="key")
        return
    section = dotted(key[:-1])
    owner = f"`{section}`" if section else "a config"
    hint = did_you_mean(key[-1], known)
    if hint is None and (home := _section_with(str(key[-1]))) and home != section:
        hint = f"did you mean {home}.{key[-1]}?"
    report.add(key, f"{dotted(key)} is not a key of {owner}", on="key", expected=listing(known, 24), hint=hint)


def _section_with(name: str) -> str | None:
    """The section that has a key of this name."""
    for section, field in Config.model_fields.items():
        inner = model_of(field.annotation)
        if inner and issubclass(inner, Section) and name in inner.model_fields:
            return section
    return None


def _missing_key(report: Report, key: Key, name: str, values: dict[Any, Any]) -> None:
    if not key:
        report.add((name,), f"the key `{name}` is missing", hint=f"add `{name}: digits`" if name == "data" else None)
        return
    hint = f"add `{name}: ...`"
    if name == "name" and len(values) == 1:  # written like a layer: {mlp: {hidden: [16]}}
        ((only, inside),) = values.items()
        if isinstance(inside, dict | None):
            hint = "write " + flow({"name": str(only), **(inside or {})})
    report.add(key, f"{dotted(key)} has no {name}", on="key", hint=hint)


def _add_pydantic(report: Report, details: Any, values: dict[Any, Any]) -> None:
    """What is left for pydantic to find: ranges and patterns."""
    key: Key = ()
    current: Any = values
    for part in details["loc"]:  # a location goes on into the branches of a union
        if not (isinstance(current, dict) and part in current) and not (
            isinstance(current, list) and isinstance(part, int)
        ):
            break
        key, current = (*key, part), current[part]
    if details["type"] in ("missing", "dict_type", "model_type") or report.reported(key or tuple(details["loc"])):
        return
    context = details.get("ctx") or {}
    words = {
        "greater_than_equal": f"{context.get('ge')} or more",
        "greater_than": f"more than {context.get('gt')}",
        "less_than": f"less than {context.get('lt')}",
        "less_than_equal": f"{context.get('le')} or less",
    }
    if details["type"] in words:
        expected = words[details["type"]]
        report.add(key, f"{dotted(key)} is out of range", received=str(current), expected=expected)
    elif details["type"] == "string_pattern_mismatch":
        report.add(
            key, f"{dotted(key)} is not a valid {key[-1]}", received=show_value(current), expected=_pattern_words(key)
        )
    else:
        report.add(key, f"{dotted(key)} is not valid: {details['msg']}", received=show_value(current))


def _pattern_words(key: Key) -> str:
    known: dict[Key, str] = {
        ("name",): "letters, digits, `_`, `-` and `.`, at most 64, no `-` or `.` at the start",
        ("runtime", "device"): "auto, cpu, gpu, or gpu:N",
        ("needs", "gpu_memory"): "a number with MB, MiB, GB or GiB, such as 6GB",
    }
    return known.get(key) or f"text like {dotted(key)}"
