"""Stated results as work to do: which configs, seeds and runs each needs."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlrun.config.expected import BASELINE, TEST
from dlrun.config.finding import SUFFIXES, find_config, shipped_configs
from dlrun.config.loading import load_config
from dlrun.config.overrides import setting
from dlrun.config.scale import BOOK, SMALL, small_overrides
from dlrun.config.schema import SEEDS_OF_ORDERS, Config, Expect
from dlrun.data_places import find_data
from dlrun.errors import ConfigError, UnknownNameError, did_you_mean, listing
from dlrun.expectations import OWN_BASELINE
from dlrun.studies._subjects import Subject


@dataclass(frozen=True)
class Claim:
    """One entry of `expect`, and what it is measured on: `own` runs, and those of another config for an order.

    `shortened`: a subject is smaller than the source's. `missing`: data files that are not there.
    """

    name: str
    expect: Expect
    own: tuple[Subject, ...]
    others: tuple[Subject, ...] = ()
    shortened: bool = False
    missing: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (*self.own, *self.others)

    @property
    def reads_test(self) -> bool:
        """Whether `dlrun evaluate` has to read the test part."""
        return self.expect.metric.removeprefix(BASELINE).startswith(TEST)

    @property
    def judged(self) -> bool:
        """Whether the row passes or fails: at small scale only orders, and parameters of an unchanged model."""
        if self.expect.is_order:
            return len(self.own) >= SEEDS_OF_ORDERS
        if self.expect.metric == "parameters":
            return not any(key.startswith("model") for subject in self.own for key in subject.config.shortened)
        return not self.shortened


def find_configs(patterns: Iterable[str]) -> dict[str, Path]:
    """Shipped configs, and files, that match any of the patterns, by the name one types.

    Raises UnknownNameError for a pattern that matches none.
    """
    found: dict[str, Path] = {}
    shipped = shipped_configs()
    for pattern in patterns:
        matching = {name: path for name, path in shipped.items() if fnmatch.fnmatchcase(name, pattern)}
        if not matching:
            matching = {str(path): path for path in _files(pattern)}
        if not matching:
            hint = did_you_mean(pattern, shipped) or "`dlrun list configs` shows the shipped ones"
            raise UnknownNameError(f"no config matches {pattern!r}", hint=hint)
        found.update(matching)
    return found


def _files(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    base = Path(path.anchor) if path.is_absolute() else Path()
    parts = str(path.relative_to(path.anchor) if path.is_absolute() else path)
    return sorted(found for found in base.glob(parts) if found.suffix in SUFFIXES)


def find_claims(configs: dict[str, Path], *, scale: str = BOOK, seeds: int | None = None) -> list[Claim]:
    """Everything that these configs state, with what it takes; `seeds` is the number of runs in place of the stated.

    Raises ConfigError for configs that cannot be read, and when none states anything.
    """
    load = functools.cache(lambda path, overrides: load_config(path, overrides, to_train=True))
    claims = [
        _claim(name, path, expect, _Asked(scale, seeds, load))
        for name, path in configs.items()
        for expect in load(path, ()).expect
    ]
    if not claims:
        raise ConfigError("these configs state no results", received=listing(configs), expected="a key `expect`")
    return claims


@dataclass(frozen=True)
class _Asked:
    """What the user asked of all claims; `load` reads a config once for all of them."""

    scale: str
    seeds: int | None
    load: Callable[[Path, tuple[str, ...]], Config]


def _claim(name: str, path: Path, expect: Expect, asked: _Asked) -> Claim:
    own = _subjects(name, path, expect, asked)
    others: tuple[Subject, ...] = ()
    named = expect.below if expect.below is not None else expect.above
    if isinstance(named, str) and named != OWN_BASELINE:
        other, other_path = _named_config(named, path)
        others = _subjects(other, other_path, expect, asked)
    missing = dict.fromkeys(file for subject in (*own, *others) for file in find_data(subject.config).missing)
    shortened = asked.scale == SMALL and any(subject.config.small for subject in (*own, *others))
    return Claim(name, expect, own, others, shortened, tuple(missing))


def _named_config(text: str, beside: Path) -> tuple[str, Path]:
    """The config that an order names: a file beside this one, or a shipped config. Raises UnknownNameError."""
    for candidate in (beside.parent / text, beside.parent / f"{text}.yaml"):
        if candidate.is_file():
            return str(candidate), candidate
    return text, find_config(text)


def _subjects(name: str, path: Path, expect: Expect, asked: _Asked) -> tuple[Subject, ...]:
    base = asked.load(path, ())
    fixed = small_overrides(base) if asked.scale == SMALL else ()
    found = []
    for seed in range(base.seed, base.seed + (asked.seeds or expect.runs)):
        overrides = (setting("seed", seed),) if seed != base.seed else ()
        config = asked.load(path, (*fixed, *overrides))
        after = expect.after if config.kfold is None else "train"
        found.append(Subject(name, overrides, config, after, SMALL if fixed else BOOK))
    return tuple(found)


def needs(claims: Sequence[Claim]) -> dict[Subject, bool]:
    """The subjects of these claims, each once, in order, and whether test is read for it."""
    found: dict[Subject, bool] = {}
    for claim in claims:
        for subject in claim.subjects:
            found[subject] = found.get(subject, False) or claim.reads_test
    return found
