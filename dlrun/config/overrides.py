"""`-s KEY=VALUE` on the command line: `model.units=128`, `callbacks[0].patience=3`, `callbacks[+]=...`, `~monitor`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dlrun.config.dumping import scalar
from dlrun.config.nodes import OVERRIDE_SOURCE, Node, child, dotted
from dlrun.config.shorthand import COMPONENTS, expand
from dlrun.config.yaml_reader import MOST_DEPTH, parse_value
from dlrun.errors import ConfigError, Key, Place, Problem, did_you_mean, listing

_PART = re.compile(r"\.?([^.\[\]=~\s]+)|\[(-?\d+|\+)\]")
_FORMS = "KEY=VALUE, such as model.units=128 or callbacks[0].patience=3; or ~KEY"
_APPEND = "+"


@dataclass(frozen=True)
class Override:
    """One parsed `-s`: the parts of its path with their columns, and the value (None drops the key)."""

    text: str
    path: tuple[tuple[str | int, Place], ...]
    value: Node | None

    @property
    def key(self) -> Key:
        return tuple(part for part, _ in self.path)


def setting(key: str, value: object) -> str:
    """The override that sets a key to exactly this value, whatever characters are in it."""
    return f"{key}={scalar(value)}"


def _place(text: str, start: int, end: int) -> Place:
    return Place(OVERRIDE_SOURCE, 1, start + 1, max(1, end - start), text)


def _refuse(
    text: str, start: int, end: int, message: str, expected: str | None = None, hint: str | None = None
) -> ConfigError:
    return ConfigError(problems=[Problem(message, None, _place(text, start, end), expected=expected, hint=hint)])


def parse_override(text: str) -> Override:
    """An override as the user typed it. Raises ConfigError with a caret below what is wrong."""
    drop = text.startswith("~")
    equals = text.find("=")
    if not drop and equals < 0:
        raise _refuse(text, 0, len(text), "this override sets nothing", _FORMS)
    if drop and equals >= 0:
        raise _refuse(text, equals, len(text), "~KEY drops a key and takes no value", "~KEY, or KEY=VALUE")
    start, end = (1, len(text)) if drop else (0, equals)
    path: list[tuple[str | int, Place]] = []
    position = start
    while position < end:
        if len(path) > MOST_DEPTH:
            raise _refuse(text, position, position + 1, "the path of this override is too long")
        match = _PART.match(text, position, end)
        if not match or (position == start and (match[2] is not None or text[start] == ".")):
            raise _refuse(text, position, position + 1, "this is not the path of a key", _FORMS)
        name, index = match[1], match[2]
        part: str | int = name if name is not None else index if index == _APPEND else int(index)
        at = match.start(1) if name is not None else match.start()
        path.append((part, _place(text, at, match.end())))
        position = match.end()
    if not path:
        raise _refuse(text, 0, len(text), "this override names no key", _FORMS)
    if drop:
        return Override(text, tuple(path), None)
    value = parse_value(text[equals + 1 :], OVERRIDE_SOURCE, equals + 2, text)
    value.key_place = path[-1][1]
    return Override(text, tuple(path), value)


def apply_overrides(root: Node, overrides: Iterable[str]) -> None:
    """Set and drop keys in a config's tree, in place, from left to right. Raises ConfigError with all problems."""
    problems: list[Problem] = []
    for text in overrides:
        try:
            override = parse_override(text)
            _apply(root, override)
            if override.key[:2] == ("training", "stages"):
                _forget_epochs(root.content["training"])
            expand(root)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems=problems)


def _apply(root: Node, override: Override) -> None:
    node, above = root, [root]
    for position, (part, place) in enumerate(override.path[:-1]):
        found = _step(node, override, position)
        if found is None:
            appends = override.path[position + 1][0] == _APPEND
            found = Node([] if appends else {}, place, place)
            node.content[part] = found
        elif found.content is None:
            found.content = {}
        node = found
        above.append(node)
    last, _ = override.path[-1]
    present = _step(node, override, len(override.path) - 1)
    if override.value is None:
        _drop(node, override, present)
        _drop_emptied(above, override.key)
    elif last == _APPEND and node.is_list:
        node.content.append(override.value)
    elif node.is_list:
        _put(node.content, present, override.value)
    else:
        _replace_component(node, override, present)
        node.content[last] = override.value


def _forget_epochs(training: Node) -> None:
    """Stages that `-s` sets say how many epochs there are, whatever files say; unless `-s` says that, too."""
    epochs, stages = training.content.get("epochs"), training.content.get("stages")
    stated = epochs is not None and epochs.is_override and epochs.key_place is not None  # else it is a sum of stages
    if stages is not None and stages.content and not stated:
        training.content.pop("epochs", None)


def _step(node: Node, override: Override, position: int) -> Node | None:
    """The node one part further, None when it is not there yet. Raises ConfigError when it cannot be."""
    part, place = override.path[position]
    above = dotted(override.key[:position])
    if isinstance(part, str) and part == _APPEND and override.text[place.column - 1] == "[":
        if node.is_list and position == len(override.path) - 1 and override.value is not None:
            return None
        raise _wrong_step(
            place, f"[+] appends to a list, and {above} is none" if not node.is_list else "[+] ends a path"
        )
    if isinstance(part, int):
        if not node.is_list:
            raise _wrong_step(place, f"{above} is not a list", expected=_what(node))
        count = len(node.content)
        found = child(node, part + count if part < 0 else part)
        if found is None:
            expected = f"an index from 0 to {count - 1}" if count else None
            raise _wrong_step(
                place, f"{above} has {count} entries, not [{part}]", expected, f"{above}[+]=... appends one"
            )
        return found
    if node.is_list:
        raise _wrong_step(place, f"{above} is a list", f"an index, such as {above}[0]")
    if not node.is_mapping:
        raise _wrong_step(place, f"{above} is a single value, it has no key {part}", hint=f"set {above} itself")
    return child(node, part)


def _put(items: list[Node], present: Node | None, value: Node) -> None:
    items[:] = [value if item is present else item for item in items]


def _what(node: Node) -> str | None:
    return f"a key: {listing(map(str, node.content))}" if node.is_mapping else None


def _wrong_step(place: Place, message: str, expected: str | None = None, hint: str | None = None) -> ConfigError:
    return ConfigError(problems=[Problem(message, None, place, expected=expected, hint=hint)])


def _drop(node: Node, override: Override, present: Node | None) -> None:
    part, place = override.path[-1]
    if present is None:
        known = [str(key) for key in node.content]
        message = f"there is no {dotted(override.key)} to drop"
        raise _wrong_step(place, message, listing(known) or None, did_you_mean(part, known))
    if node.is_list:
        node.content[:] = [item for item in node.content if item is not present]
    else:
        del node.content[part]


def _drop_emptied(above: list[Node], key: Key) -> None:
    """A section that lost its last key goes, too: the defaults hold again."""
    for depth in range(len(above) - 1, 0, -1):
        if above[depth].content == {} and above[depth - 1].is_mapping:
            del above[depth - 1].content[key[depth - 1]]


def _replace_component(node: Node, override: Override, present: Node | None) -> None:
    """Another name starts a section afresh: what files said of the old one is dropped, what `-s` said stays."""
    key, value = override.key, override.value
    named = len(key) == 2 and key[1] == "name" and key[0] in COMPONENTS
    named = named or (len(key) == 3 and key[0] == "callbacks" and key[2] == "name")
    if named and present is not None and value is not None and present.content != value.content:
        for other in [k for k, item in node.content.items() if not item.is_override]:
            del node.content[other]
