"""From what the user wrote to a frozen Config: files, `-s`, short forms, keys, signatures; all problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dlrun.config.coherence import check_coherence, check_trainable
from dlrun.config.dumping import dump_config
from dlrun.config.extending import read_config
from dlrun.config.finding import find_config, shipped_configs
from dlrun.config.keras_rules import check_keras_rules
from dlrun.config.nodes import Node, Report, from_plain, to_plain, walk
from dlrun.config.overrides import apply_overrides
from dlrun.config.parameters import check_components
from dlrun.config.schema import Config
from dlrun.config.sections import build_config
from dlrun.config.shorthand import expand
from dlrun.errors import ConfigError, Key, Place, Problem

__all__ = ["config_from_mapping", "dump_config", "find_config", "load_config", "shipped_configs"]


def load_config(path: str | Path, overrides: Iterable[str] = (), *, to_train: bool = False) -> Config:
    """The resolved config of a file: extended files below it, overrides (`model.units=128`, `~monitor`) on top.

    Every default of a builder, the optimizer and the callbacks is filled in; paths are absolute; each value knows
    where it was written (`config.place`). Neither Keras nor a plugin is imported. `to_train`: a config without a model
    serves to load its data, and is refused where it shall be trained.

    Raises ConfigError with all problems that can be seen at once.
    """
    path = Path(path)
    root = read_config(path)
    apply_overrides(root, overrides)
    return _resolve(root, path.stem, to_train=to_train)


def config_from_mapping(values: Mapping[str, Any], overrides: Iterable[str] = (), *, name: str = "config") -> Config:
    """The resolved config of Python values, for notebooks and studies; relative paths start at the current folder.

    Raises ConfigError; its problems have keys but no place.
    """
    root = from_plain(dict(values))
    expand(root)
    apply_overrides(root, overrides)
    return _resolve(root, name)


def _resolve(root: Node, stem: str, *, to_train: bool = False) -> Config:
    for section in ("routine", "optimizer"):  # so that their arguments are filled in, too
        node = root.content.setdefault(section, from_plain({}))
        if node.is_mapping and "name" not in node.content and (node.content or node.place is None):
            node.content = {"name": from_plain(Config.model_fields[section].default.name), **node.content}
    report = Report(root)
    plain = to_plain(root)
    if not plain.get("name"):
        plain["name"] = _name_from(stem)
    checked = check_components(report, plain)
    config = build_config(report, checked)
    check_coherence(report, plain)
    check_keras_rules(report, plain)
    if to_train:
        check_trainable(report, plain)
    if report.problems or config is None:
        raise ConfigError(problems=_in_order(report.problems))
    config._origins.update(_origins(root))
    return config


def _name_from(stem: str) -> str:
    """The name of a config that has none: its file's, with `_` for what a name cannot have."""
    name = "".join(c if c.isalpha() or c.isdecimal() or c in "_.-" else "_" for c in stem)
    return name.lstrip(".-")[:64] or "config"


def _in_order(problems: list[Problem]) -> list[Problem]:
    """As they stand in the files, each once."""
    ordered = sorted(problems, key=lambda p: (p.place.source, p.place.line, p.place.column) if p.place else ("", 0, 0))
    return list(dict.fromkeys(ordered))


def _origins(root: Node) -> dict[Key, Place]:
    """Where each leaf's value and each section's key was written."""
    found = {}
    for key, node in walk(root):
        place = (node.key_place or node.place) if node.is_mapping or node.is_list else node.place
        if key and place:
            found[key] = place
    return found
