"""Components against the signatures of their builders and of Keras; their defaults filled in. Nothing is imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from dlrun import keras_names
from dlrun.config.arguments import Taker, check_arguments, check_type, literal_defaults
from dlrun.config.estimators import check_estimator
from dlrun.config.graph_nodes import check_nodes
from dlrun.config.keras_objects import check_activation, check_layers, check_named, check_object
from dlrun.config.nodes import OVERRIDE_SOURCE, Report, dotted, find, show_value
from dlrun.config.types import PATHS, Type, describe, from_source
from dlrun.errors import Key, PluginError, UnknownNameError, listing, nearest
from dlrun.files import expand_home
from dlrun.registry import CALLBACKS, DATASETS, MODELS, ROUTINES, TRANSFORMS, Entry, Registry, check_plugin
from dlrun.signatures import Parameter
from dlrun.spec import Augmentation

BUILDERS = {"data": DATASETS, "model": MODELS, "routine": ROUTINES}
_OWN_KEYS = {"data": ("name", "dir", "sample"), "model": ("name",), "routine": ("name",)}
AUGMENTATIONS = {f.name: Parameter(f.name, f.default, ast.Constant(str(f.type))) for f in fields(Augmentation)}
_FROM_MONITOR = ("monitor", "mode")  # the section `monitor` is their default


def check_components(report: Report, plain: dict[str, Any]) -> dict[str, Any]:
    """The config with every component checked and filled in; what is wrong goes into the report.

    A section of the wrong shape is left as it is: the schema complains about it.
    """
    report.plugins = plugins = usable_plugins(report, plain.get("plugins"))
    result = dict(plain)
    for section, registry in BUILDERS.items():
        if isinstance(plain.get(section), dict):
            result[section] = check_builder(report, section, registry, plain[section], plugins)
    if isinstance(plain.get("optimizer"), dict):
        result["optimizer"] = _filled(
            check_named(report, "optimizers", ("optimizer",), plain["optimizer"]), "optimizers"
        )
    result |= _check_learning(report, (), plain)
    if isinstance(plain.get("outputs"), dict):
        result["outputs"] = {
            name: _check_output(report, ("outputs", name), output) for name, output in plain["outputs"].items()
        }
    if isinstance(plain.get("callbacks"), list):
        result["callbacks"] = [
            _check_callback(report, ("callbacks", index), item, plugins)
            for index, item in enumerate(plain["callbacks"])
        ]
    return result


def _check_output(report: Report, key: Key, value: Any) -> Any:
    return {**value, **_check_learning(report, key, value)} if isinstance(value, dict) else value


def _check_learning(report: Report, key: Key, plain: dict[str, Any]) -> dict[str, Any]:
    """The loss and the metrics among the keys below `key`."""
    found: dict[str, Any] = {}
    if isinstance(plain.get("loss"), str | dict):
        found["loss"] = check_object(report, "losses", (*key, "loss"), plain["loss"])
    metrics = plain.get("metrics")
    if isinstance(metrics, list):
        where = (*key, "metrics")
        found["metrics"] = [check_object(report, "metrics", (*where, i), item) for i, item in enumerate(metrics)]
    elif isinstance(metrics, dict) and not key and "outputs" not in plain:
        message, hint = "metrics is not a list", "metrics of several outputs stand under `outputs`, by task"
        report.add(("metrics",), message, received=f"a mapping with the keys {', '.join(map(str, metrics))}", hint=hint)
    return found


def _check_callback(report: Report, key: Key, value: Any, plugins: Sequence[Path]) -> Any:
    """A callback of Keras, or one that dlrun or a plugin has."""
    if not isinstance(value, dict):
        return value
    own = CALLBACKS.entries(plugins)
    name = value.get("name")
    if isinstance(name, str) and keras_names.canonical("callbacks", name) is None:
        if name in own:
            return _check_section(report, key, own[name], value, ("name",))
        if meant := nearest(name, own):
            expected = listing([*own, *keras_names.preferred_names("callbacks")])
            message, hint = f"there is no callback named {name!r}", f"did you mean {meant}?"
            report.add((*key, "name"), message, on="value", expected=expected, hint=hint)
            return value
    path = keras_names.CALLBACK_PATHS.get(str(value.get("name")))  # dlrun knows where a run keeps such files
    supplied = path[:1] if path else ()
    return _filled(
        check_named(report, "callbacks", key, value, supplied), "callbacks", without=(*supplied, *_FROM_MONITOR)
    )


def _filled(section: dict[Any, Any], kind: str, without: Sequence[str] = ()) -> dict[Any, Any]:
    """A section with Keras' defaults, except those that mean "none" or come from elsewhere."""
    name = section.get("name")
    if not isinstance(name, str) or keras_names.canonical(kind, name) is None:
        return section
    defaults = literal_defaults(keras_names.signature(kind, name).parameters)
    kept = {k: v for k, v in defaults.items() if v is not None and k not in without and k != "name"}
    return {"name": name, **{k: section.get(k, v) for k, v in kept.items()}, **section}


def usable_plugins(report: Report, value: Any) -> list[Path]:
    """The plugin files that can be read from source; the others go into the report."""
    usable = []
    for index, item in enumerate(value if isinstance(value, list) else []):
        if not isinstance(item, str):
            continue
        path = absolute(report, ("plugins", index), item)
        if not path.is_file():
            what = "it is a folder" if path.is_dir() else "there is no such file"
            report.add(("plugins", index), f"the plugin {item} cannot be read: {what}", expected="a Python file")
            continue
        try:
            entries = check_plugin(path)
        except PluginError as error:
            problem = error.problems[0]
            report.add(("plugins", index), problem.message, expected=problem.expected, hint=problem.hint)
            continue
        usable.append(path)
        for entry in entries:
            if entry.kind == "callback" and keras_names.canonical("callbacks", entry.name):
                message = f"{path}:{entry.signature.line}: Keras has a callback {entry.name!r}"
                report.add(("plugins", index), message, hint="give yours another name")
    return usable


def check_builder(
    report: Report, section: str, registry: Registry, values: dict[Any, Any], plugins: Sequence[Path]
) -> dict[Any, Any]:
    """A section that names a registered builder, with all its parameters."""
    name = values.get("name")
    if not isinstance(name, str):
        return values
    entry = _describe(report, registry, name, plugins, (section, "name"), on="value")
    return values if entry is None else _check_section(report, (section,), entry, values, _OWN_KEYS[section])


def _check_section(
    report: Report, key: Key, entry: Entry, values: dict[Any, Any], own_keys: Sequence[str]
) -> dict[Any, Any]:
    own = {name: value for name, value in values.items() if name in own_keys}
    given = {name: value for name, value in values.items() if name not in own}
    checked = _check_entry(report, key, entry, given)
    known = entry.signature.keyword_parameters()
    filled = literal_defaults(known.values()) | checked
    in_order = [key for key in known if key in filled]
    return {**own, **{key: filled[key] for key in in_order}, **checked}


def _describe(
    report: Report, registry: Registry, name: str, plugins: Sequence[Path], key: Key, *, on: Any
) -> Entry | None:
    try:
        return registry.describe(name, plugins)
    except UnknownNameError as error:
        problem = error.problems[0]
        report.add(key, problem.message, on=on, expected=problem.expected, hint=problem.hint)
    return None


def _check_entry(report: Report, key: Key, entry: Entry, given: dict[Any, Any]) -> dict[Any, Any]:
    supplied = {p.name for p in entry.signature.parameters if not p.keyword_only}
    for name in [name for name in given if name in supplied]:
        report.add((*key, name), f"{dotted((*key, name))} is supplied by dlrun", on="key", hint="remove it")

    def check_value(parameter: Parameter, where: Key, value: Any) -> Any:
        return check_parameter(report, parameter, where, value)

    title, signature = f"the {entry.kind} `{entry.name}`", entry.signature
    taker = Taker(title, signature.keyword_parameters(), check_value, accepts_more=signature.open)
    return check_arguments(report, key, {name: v for name, v in given.items() if name not in supplied}, taker)


def check_parameter(report: Report, parameter: Parameter, key: Key, value: Any) -> Any:
    """One parameter of a builder by its annotation."""
    if value is None and parameter.default is None:
        return None
    wanted = from_source(parameter.annotation)
    before = len(report.problems)
    converted = check_type(report, key, value, wanted)
    return _check_special(report, key, wanted, converted) if len(report.problems) == before else value


def _check_special(report: Report, key: Key, wanted: Type, value: Any) -> Any:
    """The parts of a value whose annotation has a meaning of its own."""
    if value is None and wanted.name not in ("Layers", "Nodes", "Transforms"):
        return None
    if wanted.name == "Union":
        for member in wanted.arguments:
            value = _check_special(report, key, member, value)
        return value
    if wanted.name == "list" and isinstance(value, list) and wanted.arguments:
        return [_check_special(report, (*key, i), wanted.arguments[0], item) for i, item in enumerate(value)]
    if wanted.name == "dict" and isinstance(value, dict) and len(wanted.arguments) == 2:
        return {k: _check_special(report, (*key, k), wanted.arguments[1], item) for k, item in value.items()}
    if wanted.name == "Activation":
        return check_activation(report, key, value)
    if wanted.name in ("Regularizer", "Initializer", "Optimizer"):
        return check_object(report, wanted.name.lower() + "s", key, value)
    if wanted.name == "Layers":
        return check_layers(report, key, value)
    if wanted.name == "Nodes":
        return check_nodes(report, key, value)
    if wanted.name == "Transforms":
        return check_transforms(report, key, value)
    if wanted.name == "Augment":
        return _check_augment(report, key, value)
    if wanted.name == "Estimator":
        return check_estimator(report, key, value)
    if wanted.name == "BaseWeights":
        return _check_base_weights(report, key, value)
    return data_path(report, key, value) if wanted.name in PATHS and isinstance(value, str) else value


def _check_base_weights(report: Report, key: Key, value: Any) -> Any:
    """`imagenet`, a path or `{from_run: PATH}` of a run, whose name or id may come to mean another one."""
    if isinstance(value, str):
        return value if value == "imagenet" else data_path(report, key, value)
    if isinstance(value, dict) and list(value) == ["from_run"] and isinstance(value["from_run"], str):
        return {"from_run": str(absolute(report, (*key, "from_run"), value["from_run"]))}
    expected = describe(Type("BaseWeights"))
    report.add(key, f"{dotted(key)} names no weights", received=show_value(value), expected=expected)
    return value


def _check_augment(report: Report, key: Key, value: Any) -> Any:
    """The fields of an Augmentation, all of them unless there is none."""
    if not isinstance(value, dict):
        report.add(key, f"{dotted(key)} is not a mapping", received=show_value(value), hint="write {rotation: 40}")
        return value

    def check_value(parameter: Parameter, where: Key, value: Any) -> Any:
        return check_type(report, where, value, from_source(parameter.annotation))

    checked = check_arguments(report, key, value, Taker("`augment`", AUGMENTATIONS, check_value))
    return {**literal_defaults(AUGMENTATIONS.values()), **checked} if checked else checked


def check_transforms(report: Report, key: Key, value: Any) -> Any:
    """A list of registered transforms: names, or one-key mappings of a name to its arguments."""
    if not isinstance(value, list):
        report.add(key, f"{dotted(key)} is not a list of transforms", received=show_value(value), hint="write [name]")
        return value
    checked = []
    for index, item in enumerate(value):
        where: Key = (*key, index)
        if isinstance(item, str):
            if entry := _describe(report, TRANSFORMS, item, report.plugins, where, on="value"):
                _check_entry(report, where, entry, {})
        elif isinstance(item, dict) and len(item) == 1 and isinstance(next(iter(item.values())), dict | None):
            ((name, arguments),) = item.items()
            if entry := _describe(report, TRANSFORMS, str(name), report.plugins, (*where, name), on="key"):
                item = {name: _check_entry(report, (*where, name), entry, arguments or {})}
        else:
            expected = "a name, or a mapping of one name to its arguments"
            report.add(where, f"{dotted(where)} is not a transform", received=show_value(item), expected=expected)
        checked.append(item)
    return checked


def data_path(report: Report, key: Key, text: str) -> str:
    """The absolute path of a file or folder beside the file that names it; as written when there is none."""
    path = absolute(report, key, text)
    return str(path) if path.exists() else text


def absolute(report: Report, key: Key, text: str) -> Path:
    """An absolute path: relative ones start at the folder of the YAML file, or at the current one for `-s`."""
    node = find(report.root, key)
    place = node.place if node else None
    folder = Path() if place is None or place.source == OVERRIDE_SOURCE else Path(place.source).parent
    return Path(os.path.normpath(Path.cwd() / folder / expand_home(text)))
