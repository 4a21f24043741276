"""The JSON Schema of a config: the schema's keys, short forms, and the names and parameters of all components.

Names and parameters are suggestions: any other text stays legal, because plugins bring their own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from dlrun import keras_names
from dlrun.applications import APPLICATIONS
from dlrun.config.arguments import literal_defaults
from dlrun.config.parameters import AUGMENTATIONS
from dlrun.config.schema import Config
from dlrun.config.shorthand import shorthand_schemas
from dlrun.config.types import PATHS, Type, from_source
from dlrun.registry import CALLBACKS, DATASETS, MODELS, ROUTINES, Registry
from dlrun.signatures import Parameter, Signature

Schema = dict[str, Any]
_REGISTRIES = {"data": DATASETS, "model": MODELS, "routine": ROUTINES}
_PLAIN = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "None": "null"}
_PLAIN |= dict.fromkeys(PATHS, "string")


def keras_version() -> str:
    """The version of the installed Keras, from its source."""
    text = (keras_names.keras_folder() / "src" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    return found[1] if found else "unknown"


def config_json_schema() -> Schema:
    """The JSON Schema of a config file (draft 2020-12)."""
    schema = Config.model_json_schema()
    properties = schema["properties"]
    names = [string_schema(), {"type": "array", "items": string_schema(), "minItems": 1}]
    properties["extends"] = {"description": "Configs below this one, relative to this file.", "anyOf": names}
    for section, registry in _REGISTRIES.items():
        _set(schema, section, _component(schema, section, _builders(registry)))
    _set(schema, "optimizer", _component(schema, "optimizer", _keras("optimizers")))
    callbacks = _own_callbacks() | _keras("callbacks")
    callback = _component(schema, "callbacks", callbacks)
    properties["callbacks"]["items"] = {"anyOf": [callback, _name_schema(callbacks)]}
    _describe_learning(properties)
    _describe_learning(schema["$defs"]["Output"]["properties"])
    _allow(schema["$defs"]["Output"]["properties"], "metrics", [string_schema()])
    for section in properties:
        if short := shorthand_schemas(section):
            _allow(properties, section, short)
    for name, kind in (("Loss", "losses"), ("Metric", "metrics"), ("Layer", "layers")):
        schema["$defs"][name] = {"anyOf": _object(kind)}
    schema["$defs"]["Node"] = _node()
    schema["$defs"].pop("Component", None)
    schema.pop("required", None)  # what a file lacks may come from the one it extends
    schema["anyOf"] = [{"required": ["data"]}, {"required": ["extends"]}]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Written by `dlrun schema` with Keras {keras_version()}.",
    }
    return {**head, **schema}


def _describe_learning(properties: Schema) -> None:
    """Losses and metrics in the properties of a section that has both."""
    listed = {"type": "array", "items": {"$ref": "#/$defs/Metric"}}
    for name, form in (("loss", {"$ref": "#/$defs/Loss"}), ("metrics", listed)):
        properties[name] = {"description": properties[name]["description"], "anyOf": [form, {"type": "null"}]}


def string_schema() -> Schema:
    """Any text."""
    return {"type": "string"}


def _set(schema: Schema, section: str, component: Schema) -> None:
    description = schema["properties"][section].get("description", "")
    schema["properties"][section] = {"description": description, "anyOf": [component]}


def _allow(properties: Schema, section: str, more: list[Schema]) -> None:
    """Allow a short form beside what a property takes."""
    known = properties[section]
    if "anyOf" not in known:
        kept = {key: known.pop(key) for key in list(known) if key not in ("description", "default", "title")}
        known["anyOf"] = [kept]
    known["anyOf"] += more


def _builders(registry: Registry) -> dict[str, Signature]:
    return {name: entry.signature for name, entry in registry.entries().items()}


def _own_callbacks() -> dict[str, Signature]:
    """Those of dlrun, with what YAML may set as their parameters, as Keras' have."""
    return {
        name: replace(signature, parameters=tuple(signature.keyword_parameters().values()))
        for name, signature in _builders(CALLBACKS).items()
    }


def _keras(kind: str) -> dict[str, Signature]:
    return {name: keras_names.signature(kind, name) for name in keras_names.preferred_names(kind)}


def _name_schema(found: dict[str, Signature]) -> Schema:
    known = [{"const": name, "description": signature.first_doc_line} for name, signature in found.items()]
    return {"anyOf": [*known, string_schema()]}


def _component(schema: Schema, section: str, found: dict[str, Signature]) -> Schema:
    """A mapping with a `name`; the parameters of each known name are described where that name is chosen."""
    own = dict(schema["$defs"].get("Data", {}).get("properties", {})) if section == "data" else {}
    builders = section in _REGISTRIES
    cases = []
    for name, signature in found.items():
        parameters = signature.keyword_parameters().values() if builders else signature.parameters
        described = {p.name: _parameter(p) for p in parameters if p.name != "name"}
        if described:
            chosen = {"properties": {"name": {"const": name}}, "required": ["name"]}
            cases.append({"if": chosen, "then": {"properties": described}})
    result: Schema = {"type": "object", "properties": {**own, "name": _name_schema(found)}}
    if cases:
        result["allOf"] = cases
    return result


def _parameter(parameter: Parameter) -> Schema:
    found = type_schema(from_source(parameter.annotation))
    default = literal_defaults([parameter])
    return {**found, **({"default": default[parameter.name]} if default else {})}


def type_schema(wanted: Type) -> Schema:
    """A type as JSON Schema; `{}` for anything."""
    if wanted.name in _PLAIN:
        return {"type": _PLAIN[wanted.name]}
    if wanted.name == "Count":
        return {"type": "integer", "minimum": 1}
    if wanted.name == "Row":
        return {"type": "integer", "minimum": 0}
    if wanted.name == "Fraction":
        return {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    if wanted.name == "Literal":
        return {"enum": list(wanted.arguments)}
    if wanted.name == "Union":
        return {"anyOf": [type_schema(member) for member in wanted.arguments]}
    if wanted.name == "Layers":
        return {"type": "array", "items": {"$ref": "#/$defs/Layer"}}
    if wanted.name == "Nodes":
        return {"type": "object", "additionalProperties": {"$ref": "#/$defs/Node"}}
    if wanted.name == "Augment":
        described = {name: _parameter(parameter) for name, parameter in AUGMENTATIONS.items()}
        return {"type": "object", "properties": described, "additionalProperties": False}
    if wanted.name == "Activation":
        return {"anyOf": [{"enum": keras_names.preferred_names("activations")}, {"type": ["string", "null"]}]}
    if wanted.name in ("list", "tuple", "Transforms"):
        items = type_schema(wanted.arguments[0]) if wanted.name == "list" and wanted.arguments else {}
        return {"type": "array", **({"items": items} if items else {})}
    if wanted.name == "dict":
        items = type_schema(wanted.arguments[1]) if len(wanted.arguments) == 2 else {}
        return {"type": "object", **({"additionalProperties": items} if items else {})}
    return {}


def _node() -> Schema:
    """A node of the model `graph`."""
    layer, text = {"$ref": "#/$defs/Layer"}, string_schema()
    properties = {
        "layer": {**layer, "description": "One Keras layer."},
        "layers": {"type": "array", "items": layer, "description": "Several in a row."},
        "base": {"enum": list(APPLICATIONS), "description": "A net of Keras applications, without weights."},
        "same_as": {**text, "description": "A node whose layers are used again, weights shared."},
        "from": {"anyOf": [text, {"type": "array", "items": text}], "description": "Nodes or inputs that it takes."},
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _object(kind: str) -> list[Schema]:
    """A Keras object: a name, or a one-key mapping of a name to its arguments."""
    names = keras_names.preferred_names(kind)
    if kind in ("losses", "metrics"):
        names = sorted({*names, *(name for name in keras_names.names(kind) if name == name.lower())})
    inside = {name: {"type": ["object", "null"]} for name in keras_names.names(kind)}
    mapping = {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": inside}
    return [{"enum": names}, mapping, string_schema()]
