"""Which parameters of several configs differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class _Absent:
    def __repr__(self) -> str:
        return "absent"


MISSING: Any = _Absent()  # a parameter that a run does not have, which is not the same as null
OPEN: Any = _Absent()  # one that a run left open and did not come to settle, so it may be that of any other run


def left_open(value: Any) -> Any:
    """A config that was not settled: what it leaves to dlrun (null, auto) becomes OPEN."""
    if isinstance(value, dict):
        return {name: left_open(item) for name, item in value.items()}
    return OPEN if value in (None, "auto") else value


def differing(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Values by dotted key, one for each config, of those keys where they are not all equal.

    Lists are entered only where all have the same length and hold mappings, such as the layers of equally deep models.
    """
    return dict(_differing(configs, ""))


def _differing(values: Sequence[Any], key: str) -> Iterator[tuple[str, list[Any]]]:
    settled = [value for value in values if value is not OPEN]
    if all(_equal(value, settled[0]) for value in settled[1:]):
        return
    present = [value for value in settled if value is not MISSING]
    if all(isinstance(value, dict) for value in present):
        for name in dict.fromkeys(name for value in present for name in value):
            inner = [value.get(name, MISSING) if isinstance(value, dict) else value for value in values]
            yield from _differing(inner, f"{key}.{name}" if key else str(name))
    elif _alike(values):
        for place, items in enumerate(zip(*values, strict=True)):
            yield from _differing(items, f"{key}[{place}]")
    else:
        yield key, list(values)


def _equal(first: Any, second: Any) -> bool:
    """Equal values of the same type; 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_equal, first, second))
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def _alike(values: Sequence[Any]) -> bool:
    """Whether these are lists of mappings, all of one length."""
    lists = [value for value in values if isinstance(value, list) and all(isinstance(item, dict) for item in value)]
    return len(lists) == len(values) and len({len(value) for value in lists}) == 1
