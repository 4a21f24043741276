"""Values that a command sets later, tried where they belong: `sweep.space`, `small`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from dlrun.config.dumping import flow
from dlrun.config.nodes import OVERRIDE_SOURCE
from dlrun.config.scale import small_overrides
from dlrun.config.schema import Config
from dlrun.errors import ConfigError, Key, Problem


def check_small(config: Config, load: Callable[[tuple[str, ...]], Config]) -> None:
    """Try what `--scale small` makes of a config.

    `load` gives the config with some overrides. Raises ConfigError with all that does not fit, at its place in `small`.
    """
    if not config.small:
        return
    try:
        load(small_overrides(config))
    except ConfigError as error:
        problems = []
        for problem in error.problems:
            text = problem.place.text if problem.place and problem.place.source == OVERRIDE_SOURCE else ""
            name = next((name for name in config.small if text.startswith(f"{name}=")), None)
            key, below = (("small",), ()) if name is None else (("small", name), ())
            problems += problems_at(config, key, below, config.small.get(name or "", config.small), [problem])
        raise ConfigError(problems=problems) from error


def problems_at(config: Config, key: Key, below: Key, value: Any, problems: Iterable[Problem]) -> list[Problem]:
    """The problems of a probe, at the value in the config, or at the name of `key` when that is no key at all."""
    found = []
    for problem in problems:
        typed = problem.place is not None and problem.place.source == OVERRIDE_SOURCE
        in_name = typed and problem.place is not None and problem.place.column <= len(str(key[-1]))
        message = problem.message if typed else f"with {key[-1]}: {flow(value)}: {problem.message}"
        place = config.place(key if in_name else (*key, *below))
        found.append(replace(problem, message=message, key=key, place=place))
    return found
