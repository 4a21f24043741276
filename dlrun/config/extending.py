"""`extends`: one config on top of others.

Mappings are merged key by key; lists and scalars replace what was there. A section whose `name` changes is replaced as
a whole, because the arguments of one model say nothing about another. `name`, `description` and `expect` speak of one
experiment and are not inherited.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dlrun.config.nodes import Node, copy, show_value
from dlrun.config.shorthand import expand
from dlrun.config.yaml_reader import read_yaml
from dlrun.errors import ConfigError, Problem, did_you_mean
from dlrun.files import expand_home

MOST_FILES = 100  # read for one config, each as often as it is named
MOST_CHAIN = 20  # files that extend one another
_NOT_INHERITED = ("name", "description", "expect")


def read_config(path: Path) -> Node:
    """The tree of a file on top of the files it extends, shorthands written out.

    Raises ConfigError: what `read_yaml` raises, a missing or cyclic `extends`.
    """
    return _read(path, (), "", itertools.count(1))


def _read(path: Path, chain: tuple[Path, ...], origin: str, counter: Iterator[int]) -> Node:
    root = read_yaml(path, origin)
    expand(root)
    extends = root.content.pop("extends", None)
    if extends is None:
        return root
    merged: Node | None = None
    problems: list[Problem] = []
    for item in _named_files(extends):
        try:
            base = _read_base(path, item, (*chain, path), counter)
        except ConfigError as error:
            problems += error.problems
        else:
            merged = base if merged is None else merge(merged, base)
    if problems:
        raise ConfigError(problems=problems)
    return merge(merged, root) if merged else root


def _named_files(extends: Node) -> list[Node]:
    items = extends.content if extends.is_list else [extends]
    if not items or not all(isinstance(item.content, str) and item.content for item in items):
        problem = Problem(
            "extends does not name a file",
            ("extends",),
            extends.place,
            received=show_value(extends.content) if not extends.is_list else "a list of other things",
            expected="the path of a config file, relative to this one, or a list of paths",
        )
        raise ConfigError(problems=[problem])
    return items


def _read_base(path: Path, item: Node, chain: tuple[Path, ...], counter: Iterator[int]) -> Node:
    target = Path(os.path.normpath(path.parent / expand_home(item.content)))
    names = " -> ".join(str(step) for step in (*chain, target))
    try:
        circle, there = target.resolve() in [step.resolve() for step in chain], target.exists()
    except (OSError, ValueError) as error:  # too long for a path, a NUL in it
        raise _refuse(item, "extends names no path", str(error)) from error
    if circle:
        raise _refuse(item, "extends goes in a circle", names)
    if len(chain) > MOST_CHAIN:
        raise _refuse(item, f"more than {MOST_CHAIN} files extend one another", names)
    if next(counter) > MOST_FILES:
        raise _refuse(item, f"extends leads to more than {MOST_FILES} files", names)
    if not there:
        raise ConfigError(problems=[_missing(item, target, names)])
    try:
        base = _read(target, chain, f"{chain[0]} extends {names.removeprefix(f'{chain[0]} -> ')}", counter)
    except ConfigError as error:
        located = [p if p.place else replace(p, key=("extends",), place=item.place) for p in error.problems]
        raise ConfigError(problems=located) from error
    for key in _NOT_INHERITED:
        base.content.pop(key, None)
    return base


def _refuse(item: Node, message: str, received: str) -> ConfigError:
    return ConfigError(problems=[Problem(message, ("extends",), item.place, received=received)])


def _missing(item: Node, target: Path, names: str) -> Problem:
    beside = target.parent.glob("*.y*ml") if target.parent.is_dir() else ()
    as_written = [(Path(item.content).parent / path.name).as_posix() for path in beside]
    message = f"extends names {target}, which does not exist"
    return Problem(message, ("extends",), item.place, received=names, hint=did_you_mean(item.content, as_written))


def merge(base: Node, top: Node) -> Node:
    """A new tree: `top` over `base`."""
    if not (base.is_mapping and top.is_mapping) or _other_component(base, top):
        return copy(top)
    merged = {key: copy(node) for key, node in base.content.items()}
    for key, node in top.content.items():
        merged[key] = merge(merged[key], node) if key in merged else copy(node)
    return Node(merged, top.place, top.key_place)


def _other_component(base: Node, top: Node) -> bool:
    """Whether both are sections with a `name`, and the names differ."""
    old, new = base.content.get("name"), top.content.get("name")
    return old is not None and new is not None and bool(old.content != new.content)
