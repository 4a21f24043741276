"""What was read, as a tree in which every value remembers where it was written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dlrun.errors import Key, Place, Problem

OVERRIDE_SOURCE = "-s"
MOST_INTEGER = 2**53  # beyond it, sizes overflow and numbers are no longer exact as floats


@dataclass
class Node:
    """A mapping, a list or a scalar; `place` is where the value stands, `key_place` its key if it has one."""

    content: Any
    place: Place | None = None
    key_place: Place | None = None

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.content, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.content, list)

    @property
    def is_override(self) -> bool:
        return self.place is not None and self.place.source == OVERRIDE_SOURCE


def from_plain(value: Any) -> Node:
    """A tree without places from Python values (tuples count as lists)."""
    if isinstance(value, dict):
        return Node({key: from_plain(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return Node([from_plain(item) for item in value])
    return Node(value)


def to_plain(node: Node) -> Any:
    """The values of a tree without their places."""
    if node.is_mapping:
        return {key: to_plain(item) for key, item in node.content.items()}
    if node.is_list:
        return [to_plain(item) for item in node.content]
    return node.content


def copy(node: Node) -> Node:
    """A tree of its own with the same values and places."""
    if node.is_mapping:
        return Node({key: copy(item) for key, item in node.content.items()}, node.place, node.key_place)
    if node.is_list:
        return Node([copy(item) for item in node.content], node.place, node.key_place)
    return Node(node.content, node.place, node.key_place)


def walk(node: Node, key: Key = ()) -> Iterator[tuple[Key, Node]]:
    """Every node below and including `node`, with its path."""
    yield key, node
    if node.is_mapping:
        for name, item in node.content.items():
            yield from walk(item, (*key, name))
    elif node.is_list:
        for index, item in enumerate(node.content):
            yield from walk(item, (*key, index))


def child(node: Node, part: str | int) -> Node | None:
    """The entry `part` of a mapping or list, or None."""
    if node.is_mapping:
        return node.content.get(part)  # type: ignore[no-any-return]
    if node.is_list and isinstance(part, int) and 0 <= part < len(node.content):
        return node.content[part]  # type: ignore[no-any-return]
    return None


def find(root: Node, key: Key) -> Node | None:
    """The node at a path, or None."""
    node: Node | None = root
    for part in key:
        if node is None:
            return None
        node = child(node, part)
    return node


def dotted(key: Key) -> str:
    """A path as a user writes it: `callbacks[0].patience`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def is_number(value: Any) -> bool:
    """Whether a value is a number to work with: finite, and no integer beyond 2^53."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_INTEGER


def show_value(value: Any) -> str:
    """A value as YAML would show it, short, with its type in words."""
    kinds = {
        bool: "true or false",
        int: "an integer",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    if value is None:
        return "nothing (null)"
    if isinstance(value, list | dict) and not value:
        return "an empty list" if isinstance(value, list) else "an empty mapping"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    short = text if len(text) <= 60 else text[:57] + "..."
    if isinstance(value, int | float) and not is_number(value):
        return f"{short} ({'larger than 2^53' if isinstance(value, int) else 'no finite number'})"
    return f"{short} ({kinds.get(type(value), type(value).__name__)})"


@dataclass
class Report:
    """The problems found so far; `add` finds the place of each in the tree `root`."""

    root: Node
    problems: list[Problem] = field(default_factory=list)
    plugins: list[Path] = field(default_factory=list)  # the plugin files that can be read

    def add(
        self,
        key: Key,
        message: str,
        *,
        on: Literal["key", "value"] = "value",
        received: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        """One more problem; `on` tells whether the caret stands below the key or the value."""
        place = self.place(key, on)
        self.problems.append(Problem(message, key, place, received, expected, hint))

    def place(self, key: Key, on: Literal["key", "value"] = "value") -> Place | None:
        """Where `key` was written, or the nearest thing around it that was written."""
        node, best, exact = self.root, None, True
        for part in key:
            found = child(node, part)
            if found is None:
                exact = False
                break
            node = found
            best = (node.key_place or node.place or best) if on == "key" or node.is_mapping else (node.place or best)
        if best is None and self.root.place:  # a top key that is not there: the file alone
            return replace(self.root.place, line=1, column=1, text="")
        return best if exact or best is None else self._around(key) or best

    def _around(self, key: Key) -> Place | None:
        """For something that is missing: the key of the deepest section that is there."""
        node: Node
        node, best = self.root, None
        for part in key:
            found = child(node, part)
            if found is None:
                return best
            node = found
            best = node.key_place or node.place or best
        return best

    def reported(self, key: Key) -> bool:
        """Whether something at or below `key` was found wrong already."""
        return any(problem.key is not None and problem.key[: len(key)] == key for problem in self.problems)
