"""Which runs `dlrun runs prune` removes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dlrun.errors import ConfigError
from dlrun.records import COMPLETED, FAILED, RUNNING
from dlrun.run_index import DAMAGED, RUN, Listed

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Choice:
    """What is removed: of all runs those to which every condition applies. Nothing is kept without `best` or `latest`.

    `best` and `latest` are how many runs of each name stay, by their metric and by the time they were started.
    """

    best: int = 0
    latest: int = 0
    failed: bool = False
    older_than: timedelta | None = None

    @property
    def stated(self) -> bool:
        """Whether there is any condition."""
        return bool(self.best or self.latest or self.failed or self.older_than is not None)


def choose(rows: Sequence[Listed], choice: Choice, now: datetime) -> list[Listed]:
    """The runs to be removed, in their order; studies, running and damaged runs are never among them."""
    runs = [row for row in rows if row.kind == RUN and row.status not in (RUNNING, DAMAGED)]
    kept = _best(runs, choice.best) | _latest(runs, choice.latest)
    chosen = [row for row in runs if (row.folder, row.id) not in kept]
    if choice.failed:
        chosen = [row for row in chosen if row.status == FAILED]
    if choice.older_than is not None:
        chosen = [row for row in chosen if _begun_before(row, now - choice.older_than)]
    return chosen


def _best(runs: Sequence[Listed], count: int) -> set[tuple[str, str]]:
    """The best completed ones of each name; those judged by another metric are a ranking of their own."""
    groups: dict[tuple[str, ...], list[Listed]] = {}
    for row in runs:
        if row.status == COMPLETED and row.value is not None:
            groups.setdefault((row.folder, str(row.metric), str(row.mode)), []).append(row)
    kept = set()
    for (_, _, mode), group in groups.items():
        group.sort(key=lambda row: row.value or 0.0, reverse=mode == "max")
        kept |= {(row.folder, row.id) for row in group[:count]}
    return kept


def _latest(runs: Sequence[Listed], count: int) -> set[tuple[str, str]]:
    folders: dict[str, list[Listed]] = {}
    for row in runs:
        folders.setdefault(row.folder, []).append(row)
    return {(row.folder, row.id) for those in folders.values() for row in (those[-count:] if count else [])}


def _begun_before(row: Listed, when: datetime) -> bool:
    try:
        return datetime.fromisoformat(row.started).astimezone() < when
    except ValueError:
        return False


def read_age(text: str) -> timedelta:
    """`12h`, `30d` or `2w`. Raises ConfigError."""
    found = re.fullmatch(r"(\d{1,5}(?:\.\d+)?)\s*([hdw])", text.strip())
    if not found:
        raise ConfigError(
            "this is no age", received=f"--older-than {text}", expected="hours, days or weeks: 12h, 30d, 2w"
        )
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


def read_keep(texts: Sequence[str]) -> dict[str, int]:
    """`best:3` and `last:5` as arguments of `Choice`. Raises ConfigError."""
    kept = {}
    for text in texts:
        found = re.fullmatch(r"(best|last):([1-9]\d{0,5})", text.strip())
        if not found:
            expected = "best:3, the three best of each name, or last:5, the five latest"
            raise ConfigError("this does not say what stays", received=f"--keep {text}", expected=expected)
        kept["latest" if found[1] == "last" else "best"] = int(found[2])
    return kept
