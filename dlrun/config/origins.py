"""Where each value of a resolved config comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlrun.config.dumping import WIDTH, flow, plain_config, scalar
from dlrun.config.nodes import OVERRIDE_SOURCE, dotted
from dlrun.config.schema import Config
from dlrun.errors import Key

DEFAULT = "default"
_MOST_COLUMN = 76  # comments of longer lines follow after two spaces


def origin(config: Config, key: Key) -> str:
    """`file:line` or the `-s` that set a value, or `default`."""
    whole = len(key) == 1 or key[0] in ("loss", "metrics", "plugins")
    # above these levels the place is that of a neighbour
    shallowest = 1 if whole else 3 if key[0] == "callbacks" else 2
    for length in range(len(key), shallowest - 1, -1):
        if place := config._origins.get(key[:length]):
            return f"-s {place.text}" if place.source == OVERRIDE_SOURCE else f"{place.source}:{place.line}"
    return DEFAULT


def config_files(config: Config) -> list[Path]:
    """The files the config was read from, absolute, the one that the user named and those it extends."""
    sources = dict.fromkeys(place.source for place in config._origins.values() if place.source != OVERRIDE_SOURCE)
    return [Path(source).absolute() for source in sources]


def origin_table(config: Config) -> dict[str, str]:
    """The origin of every leaf by its dotted key."""
    return {dotted(key): origin(config, key) for _, key in _lines(plain_config(config), (), 0) if key}


def annotated_lines(config: Config) -> list[str]:
    """The config as YAML, one leaf a line, each with a comment that tells its origin."""
    lines = list(_lines(plain_config(config), (), 0))
    column = max(len(text) for text, key in lines if key and len(text) <= _MOST_COLUMN) + 2
    return [f"{text:<{column - 2}}  # {origin(config, key)}" if key else text for text, key in lines]


def _lines(values: dict[Any, Any], above: Key, indent: int) -> Iterator[tuple[str, Key]]:
    """Lines of YAML with the key of the leaf that stands there, or an empty key for the head of a section."""
    for name, value in values.items():
        yield from _line(" " * indent + scalar(name) + ":", value, (*above, name), indent)


def _line(head: str, value: Any, key: Key, indent: int) -> Iterator[tuple[str, Key]]:
    if isinstance(value, dict) and value and key != ("training", "class_weight"):
        if head.endswith("-") and len(value) == 1:
            ((name, inner),) = value.items()
            text = f"{head} {scalar(name)}: {flow(inner)}"
            if len(text) < WIDTH:
                yield text, key
                return
        if not head.endswith("-"):
            yield head, ()
            yield from _lines(value, key, indent + 2)
            return
        for number, (text, leaf) in enumerate(_lines(value, key, indent + 2)):
            yield (f"{head} {text.lstrip()}" if number == 0 else text), leaf
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield head, ()
        for index, item in enumerate(value):
            yield from _line(" " * (indent + 2) + "-", item, (*key, index), indent + 2)
    else:
        yield f"{head} {flow(value)}", key
