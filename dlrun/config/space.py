"""What `sweep.space` says: is it a space, and is every value in it one that its key can have?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dlrun.config.changes import ABOUT
from dlrun.config.dumping import flow
from dlrun.config.nodes import Report, dotted, is_number, show_value
from dlrun.config.overrides import parse_override
from dlrun.config.probing import problems_at
from dlrun.config.schema import Config
from dlrun.config.sweep_schema import Dimension
from dlrun.errors import ConfigError, Key, Problem, did_you_mean, listing

KINDS = ("choice", "int", "float")
_NOT_SEARCHED = ("sweep", "kfold", "name", "extends", "format", "plugins", *ABOUT)
_COMPARED = ("monitor", "seed", "split")  # what trials are compared by
_EXAMPLE = "{choice: [16, 32]}, {int: [16, 128], log: true} or {float: [0.0, 0.5], step: 0.1}"


def check_space(report: Report, plain: dict[str, Any]) -> None:
    """Report what is wrong with the section `sweep` itself. Values of a wrong type were reported before."""
    sweep = plain.get("sweep")
    if not isinstance(sweep, dict) or not isinstance(sweep.get("space"), dict):
        return
    if not sweep["space"]:
        report.add(("sweep", "space"), "sweep.space is empty", hint=f"add a key, such as model.hidden: {_EXAMPLE}")
    before: dict[Any, Any] = {}
    for name, dimension in sweep["space"].items():
        key: Key = ("sweep", "space", name)
        _check_path(report, key)
        if isinstance(dimension, dict) and not report.reported(key):
            _check_dimension(report, key, dimension, before)
            if (
                sweep.get("sampler") == "grid"
                and not report.reported(key)
                and dimension.get("float")
                and dimension.get("step") is None
            ):
                message = f"a grid has no end of values for {name}"
                report.add((*key, "float"), message, hint="add `step`, write a choice, or take another sampler")
        before[name] = dimension


def _check_path(report: Report, key: Key) -> None:
    name = str(key[-1])
    try:
        path = parse_override(f"{name}=0").key
    except ConfigError as error:
        first = error.problems[0]
        report.add(key, f"{name!r}: {first.message}", on="key", expected="a dotted path, such as model.hidden")
        return
    if path[0] in _NOT_SEARCHED:
        report.add(key, f"{name} is not what trials can differ in", on="key", hint="remove the line")
    elif path[0] in _COMPARED:
        report.add(key, f"trials are compared by {name}, so they cannot differ in it", on="key", hint="remove the line")


def _check_dimension(report: Report, key: Key, dimension: dict[str, Any], before: dict[Any, Any]) -> None:
    stated = [kind for kind in KINDS if dimension.get(kind) is not None]
    if len(stated) != 1:
        message = f"{key[-1]} has {' and '.join(stated) or 'none of choice, int and float'}"
        report.add(key, message, on="key", expected=f"one of them: {_EXAMPLE}")
        return
    (kind,) = stated
    if kind == "choice":
        _check_choice(report, key, dimension)
    else:
        _check_range(report, key, kind, dimension)
    if dimension.get("layers") is not None:
        _check_bounds(report, (*key, "layers"), dimension["layers"], least=0, equal=True)
    _check_conditions(report, key, dimension.get("when"), before)


def _check_conditions(report: Report, key: Key, when: Any, before: dict[Any, Any]) -> None:
    for condition, wanted in when.items() if isinstance(when, dict) else ():
        where = (*key, "when", condition)
        if condition not in before:
            message = f"{condition} is no key that stands before {key[-1]} in the space"
            hint = did_you_mean(condition, map(str, before))
            report.add(where, message, on="key", expected=listing(map(str, before)) or None, hint=hint)
            continue
        choice = before[condition].get("choice") if isinstance(before[condition], dict) else None
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(choice, list) and value not in choice:
                message = f"{condition} is never this, so {key[-1]} would not be tried"
                report.add(where, message, received=flow(value), expected=flow(choice))


def _check_choice(report: Report, key: Key, dimension: dict[str, Any]) -> None:
    values = dimension["choice"]
    if not values:
        report.add((*key, "choice"), f"{key[-1]} has no values to choose from")
    elif len({flow(value) for value in values}) < len(values):
        report.add((*key, "choice"), f"a choice of {key[-1]} is there twice")
    for name in ("log", "step"):
        if dimension.get(name):
            report.add((*key, name), f"{name} goes with int and float, not with choice", on="key")


def _check_range(report: Report, key: Key, kind: str, dimension: dict[str, Any]) -> None:
    bounds, step = dimension[kind], dimension.get("step")
    if not _check_bounds(report, (*key, kind), bounds):
        return
    if dimension.get("log") is True and not bounds[0] > 0:
        message, hint = f"a logarithmic scale of {key[-1]} begins above 0", "leave out log, or begin above 0"
        report.add((*key, kind, 0), message, received=str(bounds[0]), hint=hint)
    if step is not None and dimension.get("log") is True:
        report.add((*key, "step"), "step and log do not go together", on="key", hint="list the values under choice")
    if kind == "int" and isinstance(step, float) and is_number(step) and step != int(step):
        report.add((*key, "step"), f"the step of the integer {key[-1]} is no integer", received=show_value(step))


def _check_bounds(report: Report, key: Key, bounds: Any, *, least: int | None = None, equal: bool = False) -> bool:
    """Whether they are two, in order; what is wrong is reported."""
    if not isinstance(bounds, list) or len(bounds) != 2:
        shown = flow(bounds) if isinstance(bounds, list) else show_value(bounds)
        report.add(key, f"{dotted(key[2:])} is not a pair", received=shown, expected="[least, most]")
        return False
    low, high = bounds
    if not is_number(low) or not is_number(high):
        return False
    if low > high or (low == high and not equal) or (least is not None and low < least):
        report.add(key, f"{dotted(key[2:])} is no range", received=flow(bounds), expected="[least, most]")
        return False
    return True


def check_values(config: Config, load: Callable[[list[str]], Config]) -> None:
    """Try each choice and both ends of each range where they belong.

    `load` gives the config with some overrides. Raises ConfigError with all values that do not fit, at their places in
    the section `sweep`.
    """
    assert config.sweep
    problems: list[Problem] = []
    for name, dimension in config.sweep.space.items():
        found: list[Problem] = []
        for key, value in _extremes(dimension):
            settings = [f"{other}={flow(known)}" for other, known in _conditions(config.sweep.space, dimension)]
            try:
                load(["~sweep", *settings, f"{name}={flow(value)}"])
            except ConfigError as error:
                found += problems_at(config, ("sweep", "space", name), key, value, error.problems)
        problems += {(problem.place, problem.message): problem for problem in reversed(found)}.values()
    if problems:
        raise ConfigError(problems=problems)


def _extremes(dimension: Dimension) -> Iterator[tuple[Key, Any]]:
    """Values that stand for all, with the keys below the dimension where they were written."""
    kind = next(kind for kind in KINDS if getattr(dimension, kind) is not None)
    values = getattr(dimension, kind)
    if dimension.layers is None:
        yield from (((kind, place), value) for place, value in enumerate(values))
        return
    for count in dict.fromkeys(dimension.layers):
        for place, value in enumerate(values):
            yield (kind, place), [value] * count


def _conditions(space: dict[str, Dimension], dimension: Dimension) -> Iterable[tuple[str, Any]]:
    """Values of other keys under which this dimension is there at all."""
    for name, wanted in (dimension.when or {}).items():
        yield from _conditions(space, space[name])
        yield name, wanted[0] if isinstance(wanted, list) and wanted else wanted
