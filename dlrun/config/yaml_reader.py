"""YAML read safely into a tree that knows the line and column of every key and value.

Scalars follow YAML 1.2: only `true` and `false` are booleans, `1e-3` is a number, `010` is ten and `12:30:00` is text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dlrun.config.nodes import Node
from dlrun.config.yaml_words import OPENED, plain_words
from dlrun.errors import ConfigError, Place, Problem

FIRST_LINE = "# written by dlrun, whole when its last line is: # end"
LAST_LINE = "# end"  # without it a file cut off between two lines would be read as a config with defaults
MOST_BYTES = 500_000  # PyYAML takes 5 seconds for a megabyte
MOST_NODES = 20_000
MOST_DEPTH = 64
_TOO_DEEP = f"the values are nested too deeply, more than {MOST_DEPTH} in each other"
_TEXT_SHOWN = 160
_TEXT_BEFORE = 60  # characters shown of a long line before the place that matters
_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?(?:[0-9][0-9_]*|0x[0-9a-fA-F][0-9a-fA-F_]*)\Z")
_FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)


class _Loader(yaml.SafeLoader):
    """Composes nodes only; nothing is constructed by PyYAML."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return _TAG + scalar_kind(value)
        if kind is yaml.ScalarNode:
            return _TAG + "str"
        return _TAG + ("seq" if kind is yaml.SequenceNode else "map")


def scalar_kind(text: str) -> str:
    """What a plain (unquoted) scalar is: null, bool, int, float, merge or str."""
    if text == "<<":
        return "merge"
    if len(text) > 100:  # no number is that long, and int() refuses very long ones
        return "str"
    for kind, pattern in (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT)):
        if pattern.match(text):
            return kind
    return "str"


def read_yaml(path: Path, origin: str = "") -> Node:
    """The tree of a YAML file. `origin` tells why this file is read when the user did not name it.

    Raises ConfigError: missing, unreadable, binary, not UTF-8, too large, written by dlrun and cut off, or what
    `parse_yaml` raises.
    """
    text = _read_text(path)
    if text.startswith(FIRST_LINE) and LAST_LINE not in text.splitlines():
        raise ConfigError(f"{path} is cut off: its last line is missing", expected=LAST_LINE)
    return parse_yaml(text, str(path), origin)


def _read_text(path: Path) -> str:
    try:
        if path.is_fifo() and not str(path).startswith(("/dev/", "/proc/")):  # `check <(command)` names one of those
            raise ConfigError(f"{path} is a named pipe, not a config file")
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder, not a config file", hint=_files_hint(path)) from error
    except PermissionError as error:
        raise ConfigError(f"{path} cannot be read: no permission") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if len(raw) > MOST_BYTES:
        raise ConfigError(f"{path} is too large for a config: more than {MOST_BYTES // 1000} kB")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigError(f"{path}:1:1: the file is UTF-16", hint="save it with the encoding UTF-8")
    nul = raw.find(b"\0")
    if nul >= 0:
        raise ConfigError(f"{path}:{_spot(raw, nul)}: this is not a text file (it holds NUL bytes)", expected="YAML")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path}:{_spot(raw, error.start)}: the file is not UTF-8 (byte 0x{raw[error.start]:02x})"
        raise ConfigError(message, hint="save it with the encoding UTF-8") from error


def _spot(raw: bytes, position: int) -> str:
    """`line:column` of a byte."""
    return f"{raw.count(bytes([10]), 0, position) + 1}:{position - raw.rfind(bytes([10]), 0, position)}"


def _files_hint(folder: Path) -> str | None:
    found = sorted(path.name for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    return f"it holds {', '.join(found[:8])}" if found else None


def parse_yaml(text: str, source: str, origin: str = "") -> Node:
    """The tree of a YAML text with one mapping in it.

    Raises ConfigError: not YAML, empty, not a mapping, duplicate keys, unknown tags, keys that are no names, recursion.
    """
    reader = _Reader(text, source, origin)
    node = reader.read()
    if node.content is None:
        raise ConfigError(
            f"{source}:1:1: the file is empty",
            expected="a mapping such as `data: digits`",
            hint="`dlrun show digits` shows one",
        )
    if not node.is_mapping:
        problem = Problem("a config is a mapping of keys to values", None, node.place, expected="`key: value` lines")
        raise ConfigError(problems=[problem])
    return node


def parse_value(text: str, source: str, column: int, line_text: str) -> Node:
    """The tree of one value that stands at `column` of the command line part `line_text`. Raises ConfigError."""
    reader = _Reader(text, source, "")
    reader.lines, reader.shift = [line_text], column - 1
    return reader.read()


class _Reader:
    def __init__(self, text: str, source: str, origin: str) -> None:
        self.text, self.source, self.origin = text, source, origin
        self.lines = text.splitlines() or [""]
        self.shift = 0
        self.count = 0
        self.problems: list[Problem] = []

    def read(self) -> Node:
        loader: Any = None
        try:
            loader = _Loader(self.text)
            root = loader.get_single_node()
            node = Node(None) if root is None else self.build(root, ())
        except yaml.YAMLError as error:
            raise ConfigError(problems=[self.syntax_problem(error)]) from error
        except (RecursionError, ValueError, OverflowError) as error:
            deep = isinstance(error, RecursionError)  # else `"\UFFFFFFFF"`
            message = _TOO_DEEP if deep else "this escape stands for no character"
            raise ConfigError(problems=[self.problem_at(loader.line, loader.column, message)]) from error
        if self.problems:
            raise ConfigError(problems=self.problems)
        return node

    def place(self, line: int, column: int, length: int) -> Place:
        text = self.lines[line] if line < len(self.lines) else ""
        column += self.shift
        length = max(1, min(length, len(text) - column, 80))
        cut = column - _TEXT_BEFORE if column + length > _TEXT_SHOWN else 0
        shown = "".join(c if c.isprintable() else " " for c in text[cut : cut + _TEXT_SHOWN])
        return Place(self.source, line + 1, column + 1, length, shown, self.origin, cut)

    def place_of(self, node: yaml.Node) -> Place:
        start, end = node.start_mark, node.end_mark
        line = self.lines[start.line] if start.line < len(self.lines) else ""
        length = end.column - start.column if end.line == start.line else len(line.rstrip()) - start.column
        return self.place(start.line, start.column, length)

    def complain(self, node: yaml.Node, message: str, **details: str) -> None:
        self.problems.append(Problem(message, None, self.place_of(node), **details))

    def problem_at(self, line: int, column: int, message: str) -> Problem:
        return Problem(message, None, self.place(line, column, 1))

    def build(self, node: yaml.Node, above: tuple[int, ...]) -> Node:
        self.count += 1
        if self.count > MOST_NODES:
            message = f"the file holds more than {MOST_NODES:,} values, or grows to them through its aliases (*name)"
            raise ConfigError(problems=[Problem(message, None, self.place_of(node))])
        if len(above) > MOST_DEPTH:
            raise ConfigError(problems=[Problem(_TOO_DEEP, None, self.place_of(node))])
        if id(node) in above:
            self.complain(node, "this anchor contains itself")
            return Node(None)
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return Node(self.mapping(node, above), self.place_of(node))
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return Node([self.build(item, above) for item in node.value], self.place_of(node))
        if isinstance(node, yaml.ScalarNode):
            return Node(self.scalar(node), self.place_of(node))
        self.unknown_tag(node)
        return Node(None)

    def unknown_tag(self, node: yaml.Node) -> None:
        tag = node.tag.replace(_TAG, "!!")
        self.complain(node, f"the tag {tag} is not allowed", hint="remove the tag: a config holds plain values only")

    def scalar(self, node: yaml.ScalarNode) -> Any:
        kind, text = node.tag.removeprefix(_TAG), node.value
        if kind in ("str", "merge"):
            return text
        if kind == "null":
            return None
        if kind == "bool" and _BOOL.match(text):
            return text.lower() == "true"
        plain = text.replace("_", "")
        if kind == "int" and _INT.match(text):
            return int(plain, 16) if "0x" in plain else int(plain)
        if kind == "float" and (_FLOAT.match(text) or _INT.match(text)):
            return float(re.sub(r"\.(?=[iInN])", "", plain))
        self.unknown_tag(node)
        return None

    def mapping(self, node: yaml.MappingNode, above: tuple[int, ...]) -> dict[str | int, Node]:
        own: dict[str | int, Node] = {}
        merged: dict[str | int, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                self.merge(merged, value_node, above)
                continue
            key = self.key(key_node)
            value = self.build(value_node, above)
            if key is None:
                continue
            value.key_place = self.place_of(key_node)
            if value.content is None and value_node.start_mark.index >= value_node.end_mark.index:
                value.place = value.key_place
            if key in own:
                first = own[key].key_place
                line = first.line if first else "?"
                self.complain(
                    key_node, f"the key {key!r} stands here twice (first in line {line})", hint="keep one of them"
                )
                continue
            own[key] = value
        return {**{key: value for key, value in merged.items() if key not in own}, **own}

    def key(self, node: yaml.Node) -> str | int | None:
        value = self.scalar(node) if isinstance(node, yaml.ScalarNode) else node
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        shown = node.value if isinstance(node, yaml.ScalarNode) else "a list or mapping"
        self.complain(
            node, f"a key must be text, not {shown or 'empty'}", hint="put it in quotes if it is meant as text"
        )
        return None

    def merge(self, merged: dict[str | int, Node], node: yaml.Node, above: tuple[int, ...]) -> None:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            built = self.build(part, above)
            if not built.is_mapping:
                self.complain(part, "`<<` merges mappings only", expected="`<<: *name` where &name marks a mapping")
                continue
            for key, value in built.content.items():
                merged.setdefault(key, value)

    def syntax_problem(self, error: yaml.YAMLError) -> Problem:
        """PyYAML's complaint in plain words, with its place."""
        if isinstance(error, yaml.reader.ReaderError):
            before = self.text[: error.position]
            place = self.place(before.count("\n"), len(before) - (before.rfind("\n") + 1), 1)
            code = error.character if isinstance(error.character, int) else ord(error.character)
            return Problem(f"the character U+{code:04X} is not allowed in YAML", None, place)
        mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
        message, hint = plain_words(str(getattr(error, "problem", error)), str(getattr(error, "context", "") or ""))
        opened = message.startswith(OPENED)
        if opened and context and mark and context.line != mark.line:
            message += f" before line {mark.line + 1}"
        at = context if opened and context else mark or context
        return Problem(message, None, self.place(at.line, at.column, 1) if at else None, hint=hint)
