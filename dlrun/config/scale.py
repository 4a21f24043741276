"""`--scale small`: a config made smaller, by its key `small`, for a machine on which its source's size takes hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.config.dumping import flow, plain_config
from dlrun.config.nodes import Node, child, from_plain, to_plain
from dlrun.config.overrides import parse_override
from dlrun.config.schema import Config
from dlrun.errors import ConfigError

BOOK, SMALL = "book", "small"


def small_overrides(config: Config) -> tuple[str, ...]:
    """What makes a config small, as `-s` takes it, and says so in it; its source has stated nothing of that."""
    if not config.small:
        return ()
    new = (f"{key}={flow(value)}" for key, value in config.small.items())
    return (*new, f"shortened={flow(_values(config, config.small))}", *(["~expect"] if config.expect else []))


def wanted_small(config: Config) -> tuple[str, ...]:
    """`small_overrides` of a config that must have some. Raises ConfigError."""
    if not config.small:
        hint = "it trains as it stands; `small: {training.epochs: 5}` in it says what --scale small shall set"
        raise ConfigError("the config has no key `small`", received="--scale small", hint=hint)
    return small_overrides(config)


def deviations(config: Config) -> dict[str, dict[str, Any]]:
    """What `--scale small` changed, by dotted key: the value before as `book`, the one in effect as `small`."""
    now = _values(config, config.shortened)
    return {key: {BOOK: before, SMALL: now[key]} for key, before in config.shortened.items() if now[key] != before}


def deviation_text(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What `deviations` found, in a line: `training.epochs 10 instead of 60, ...`."""
    return ", ".join(f"{key} {flow(one.get(SMALL))} instead of {flow(one.get(BOOK))}" for key, one in found.items())


def _values(config: Config, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config at dotted keys; None where there is none."""
    root = from_plain(plain_config(config))
    found: dict[str, Any] = {}
    for text in keys:
        node: Node | None = root
        for part in parse_override(f"~{text}").key:
            node = child(node, part) if node else None
        found[text] = to_plain(node) if node else None
    return found
