"""What a value may be: types read from annotations (source or pydantic fields), checked and told in plain words."""

from __future__ import annotations

import ast
import types
import typing
from dataclasses import dataclass
from typing import Any

from dlrun.config.nodes import is_number
from dlrun.errors import Key

PATHS = ("DataPath", "WordVectors")
SPECIAL = (
    *("Activation", "Regularizer", "Initializer", "Layers", "Nodes", "Transforms", "Augment", "BaseWeights"),
    *("Estimator", "Optimizer"),
    *PATHS,
)
_WORDS = {
    "int": ("an integer", "integers"),
    "float": ("a number", "numbers"),
    "bool": ("true or false", "true or false values"),
    "str": ("text", "texts"),
    "Count": ("an integer of 1 or more", "integers of 1 or more"),
    "Row": ("an integer of 0 or more", "integers of 0 or more"),
    "Fraction": ("a number from 0 to below 1", "numbers from 0 to below 1"),
    "Path": ("a path", "paths"),
    "None": ("null", "nulls"),
    "Any": ("anything", "values"),
    "list": ("a list", "lists"),
    "dict": ("a mapping", "mappings"),
    "tuple": ("a list", "lists"),
    "Activation": ("the name of a Keras activation", "Keras activations"),
    "Regularizer": ("a Keras regularizer", "Keras regularizers"),
    "Initializer": ("a Keras initializer", "Keras initializers"),
    "Optimizer": ("a Keras optimizer", "Keras optimizers"),
    "Layers": ("a list of Keras layers", "lists of Keras layers"),
    "Nodes": ("a mapping of nodes", "mappings of nodes"),
    "Transforms": ("a list of transforms", "lists of transforms"),
    "Augment": ("a mapping of variations", "mappings of variations"),
    "BaseWeights": ("imagenet, a path, {from_run: PATH} or null", "weights"),
    "Estimator": ("an estimator of scikit-learn", "estimators"),
    "DataPath": ("a path", "paths"),
    "WordVectors": ("a path", "paths"),
}
_LEAST = {"Count": 1, "Row": 0}
_TRUE, _FALSE = ("yes", "on", "true"), ("no", "off", "false")


@dataclass(frozen=True)
class Type:
    """A type by name; `arguments` are the types inside it, or the values of a Literal."""

    name: str
    arguments: tuple[Any, ...] = ()


ANY = Type("Any")


class Mismatch(Exception):
    """A value does not fit; `path` leads to it inside the value checked, `wanted` is what belongs there."""

    def __init__(self, wanted: Type, value: Any, path: Key = ()) -> None:
        super().__init__(describe(wanted))
        self.wanted, self.value, self.path = wanted, value, path


def from_source(node: ast.expr | None) -> Type:
    """The type an annotation in source code names; `Any` for what is not understood."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            try:
                return from_source(ast.parse(node.value, mode="eval").body)
            except SyntaxError:
                return ANY
        return Type("None") if node.value is None else ANY
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        name = {"Sequence": "list", "Mapping": "dict", "List": "list", "Dict": "dict", "Tuple": "tuple"}.get(name, name)
        return Type(name) if name in _WORDS else ANY
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(from_source(node.left), from_source(node.right))
    if isinstance(node, ast.Subscript):
        return _subscript(node)
    return ANY


def _subscript(node: ast.Subscript) -> Type:
    outer = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if outer == "Literal":
        values = [n.value for n in inner if isinstance(n, ast.Constant)]
        return Type("Literal", tuple(values)) if len(values) == len(inner) else ANY
    if outer in ("Optional", "Union"):
        return _union(*map(from_source, inner), *([Type("None")] if outer == "Optional" else []))
    if outer == "Annotated":
        return from_source(inner[0])
    base = from_source(node.value)
    if base.name == "tuple" and inner and isinstance(inner[-1], ast.Constant) and inner[-1].value is Ellipsis:
        return Type("list", (from_source(inner[0]),))
    return Type(base.name, tuple(map(from_source, inner))) if base.name in ("list", "dict", "tuple") else base


def from_annotation(annotation: Any) -> Type:
    """The type of a pydantic field."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return Type("Literal", arguments)
    if origin in (typing.Union, types.UnionType):
        return _union(*map(from_annotation, arguments))
    if origin in (list, dict, tuple):
        return Type(origin.__name__, tuple(map(from_annotation, arguments)))
    if annotation in (None, type(None)):
        return Type("None")
    name = getattr(annotation, "__name__", "Any")
    return Type(name) if name in _WORDS else ANY


def _union(*members: Type) -> Type:
    flat = [inner for member in members for inner in (member.arguments if member.name == "Union" else (member,))]
    return ANY if ANY in flat else Type("Union", tuple(dict.fromkeys(flat)))


def describe(wanted: Type, *, plural: bool = False) -> str:
    """A type in words: `a list of integers`."""
    if wanted.name == "Literal":
        return "one of " + ", ".join(_spell(value) for value in wanted.arguments)
    if wanted.name == "Union":
        members = [member for member in wanted.arguments if not (plural and member.name == "None")]
        names = {member.name for member in members}
        if {"int", "float"} <= names:  # a number says both
            members = [member for member in members if member.name != "int"]
        return " or ".join(describe(member, plural=plural) for member in members)
    singular, many = _WORDS[wanted.name]
    word = many if plural else singular
    if wanted.name == "list" and wanted.arguments:
        return f"{word} of {describe(wanted.arguments[0], plural=True)}"
    if wanted.name == "dict" and len(wanted.arguments) == 2:
        return f"{word} of {describe(wanted.arguments[0], plural=True)} to {describe(wanted.arguments[1], plural=True)}"
    if wanted.name == "tuple" and wanted.arguments:
        return f"{word} of {len(wanted.arguments)} values ({', '.join(describe(a) for a in wanted.arguments)})"
    return word


def _spell(value: Any) -> str:
    return (
        {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else str(value)
    )


def convert(wanted: Type, value: Any, path: Key = ()) -> Any:
    """The value as its type wants it (`yes` -> true, 1e4 -> 10000 for an integer). Raises Mismatch."""
    if wanted.name == "Any" or (wanted.name in SPECIAL and wanted.name not in PATHS):
        return value  # Keras objects and transforms are checked with their own signatures
    if wanted.name == "Union":
        return _convert_union(wanted, value, path)
    if wanted.name == "Literal":
        if isinstance(value, list | dict) or not any(value == v and type(value) is type(v) for v in wanted.arguments):
            raise Mismatch(wanted, value, path)
        return value
    if wanted.name in ("list", "tuple", "dict"):
        return _convert_container(wanted, value, path)
    converted = _convert_scalar(wanted.name, value)
    if converted is None and wanted.name != "None":
        raise Mismatch(wanted, value, path)
    if wanted.name == "None" and value is not None:
        raise Mismatch(wanted, value, path)
    return converted


def _convert_scalar(name: str, value: Any) -> Any:
    """The value, converted where nothing is lost; None when it does not fit."""
    number = is_number(value)
    if name == "int" and number:
        return int(value) if value == int(value) and is_number(int(value)) else None
    if name == "float" and number:
        return float(value)
    if name in _LEAST:
        count = _convert_scalar("int", value)
        return count if count is not None and count >= _LEAST[name] else None
    if name == "Fraction" and number:
        return float(value) if 0 <= value < 1 else None
    if name == "bool" and isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    if name == "bool":
        return value if isinstance(value, bool) else None
    if name in ("str", "Path", *PATHS):
        return value if isinstance(value, str) else None
    return None


def _convert_container(wanted: Type, value: Any, path: Key) -> Any:
    if not isinstance(value, dict if wanted.name == "dict" else list):
        raise Mismatch(wanted, value, path)
    if isinstance(value, dict):
        key_type, item_type = wanted.arguments if len(wanted.arguments) == 2 else (ANY, ANY)
        return {convert(key_type, k, (*path, k)): convert(item_type, v, (*path, k)) for k, v in value.items()}
    if wanted.name == "tuple" and wanted.arguments:
        if len(value) != len(wanted.arguments):
            raise Mismatch(wanted, value, path)
        return [convert(t, v, (*path, i)) for i, (t, v) in enumerate(zip(wanted.arguments, value, strict=True))]
    item_type = wanted.arguments[0] if wanted.arguments else ANY
    return [convert(item_type, item, (*path, index)) for index, item in enumerate(value)]


def _convert_union(wanted: Type, value: Any, path: Key) -> Any:
    exact = {bool: "bool", int: "int", float: "float", str: "str", type(None): "None"}.get(type(value))
    members = sorted(wanted.arguments, key=lambda member: member.name != exact)
    deeper: Mismatch | None = None
    for member in members:
        try:
            return convert(member, value, path)
        except Mismatch as mismatch:
            if len(mismatch.path) > len(path):  # the right kind of container with a wrong value in it
                deeper = mismatch
    raise deeper or Mismatch(wanted, value, path)
