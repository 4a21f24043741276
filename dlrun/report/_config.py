"""The config of a run as tables: what is not a default, and all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlrun.config.defaults import without_defaults
from dlrun.config.dumping import flow
from dlrun.config.nodes import to_plain
from dlrun.config.yaml_reader import read_yaml
from dlrun.errors import DlrunError
from dlrun.report._markup import Html, el, folded, frame, join

_ELSEWHERE = ("format", "name", "description", "expect")  # shown in other parts of the page


def config_section(path: Path, plugins: Path, *, settled: bool) -> Html:
    """What was asked; what differs from the defaults comes first and is marked in the whole.

    A run has `settled` what its config left open. Raises ConfigError.
    """
    values = {key: value for key, value in to_plain(read_yaml(path)).items() if key not in _ELSEWHERE}
    try:
        own = without_defaults(values, sorted(plugins.glob("*/*.py")))
    except (DlrunError, KeyError, TypeError):  # a plugin that is gone, a component of another version
        unknown = el("p", "Which of these are defaults cannot be told here: a component is not known.", class_="soft")
        return join([unknown, _table("All values", list(flattened(values)), set())])
    changed = list(flattened(own))
    keys = {key for key, _ in changed}
    note = "Loss, metrics, monitor and runtime are as the run has settled them, where they were left open."
    first = [_table("What is not a default", changed, set()), el("p", note, class_="soft") if settled else None]
    return join([*first, folded("All values", _table("Marked: what is not a default", list(flattened(values)), keys))])


def flattened(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by dotted key; lists are leaves."""
    for name, value in values.items():
        key = f"{above}.{name}" if above else str(name)
        if isinstance(value, dict) and value:
            yield from flattened(value, key)
        else:
            yield key, value


def _table(caption: str, rows: list[tuple[str, Any]], marked: set[str]) -> Html:
    lines = []
    for key, value in rows:
        is_set = key in marked
        told = el("span", " (not the default)", class_="soft") if is_set else None
        cells = el("th", el("code", key), scope="row"), el("td", el("code", flow(value)), told)
        lines.append(el("tr", *cells, class_="set" if is_set else None))
    head = el("thead", el("tr", el("th", "key", scope="col"), el("th", "value", scope="col")))
    return frame(caption, el("table", el("caption", caption), head, el("tbody", *lines), class_="config"))
