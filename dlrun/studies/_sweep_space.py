"""Values out of `sweep.space`: drawn by Optuna, all combinations one after the other, or those of the config itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from dlrun.config.dumping import flow, plain_config
from dlrun.config.overrides import parse_override
from dlrun.config.schema import Config
from dlrun.config.sweep_schema import Dimension

Space = Mapping[str, Dimension]


class Source(Protocol):
    """Where values come from: methods of an Optuna trial. `name` is a parameter of it, such as `model.hidden[0]`."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...


def draw(source: Source, space: Space) -> dict[str, Any]:
    """Values for the keys of the space, in its order; a key whose conditions do not hold is left out."""
    values: dict[str, Any] = {}
    for name, dimension in space.items():
        if not _holds(dimension.when, values):
            continue
        if dimension.layers is None:
            values[name] = _one(source, name, dimension)
        else:
            count = source.suggest_int(f"{name}.layers", *dimension.layers)
            values[name] = [_one(source, f"{name}[{place}]", dimension) for place in range(count)]
    return values


def settings(values: Mapping[str, Any]) -> list[str]:
    """Values as overrides."""
    return [f"{name}={flow(value)}" for name, value in values.items()]


def _holds(when: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
    return all(
        name in values and values[name] in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in (when or {}).items()
    )


def _one(source: Source, name: str, dimension: Dimension) -> Any:
    if dimension.choice is not None:
        labels = labelled(dimension.choice)
        return labels[source.suggest_categorical(name, list(labels))]
    if dimension.int is not None:
        step = int(dimension.step or 1)
        return source.suggest_int(name, *_reached(dimension.int, step), step=step, log=dimension.log)
    assert dimension.float is not None
    if dimension.step is None:
        return source.suggest_float(name, *dimension.float, log=dimension.log)
    value = source.suggest_float(name, *_reached(dimension.float, dimension.step), step=dimension.step)
    return float(f"{value:.12g}")  # 0.3, not 0.30000000000000004


def labelled(choice: Sequence[Any]) -> dict[Any, Any]:
    """The values of a choice under what Optuna keeps for them: numbers and texts as they are, others as YAML."""
    scalars = all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in choice)
    return {value if scalars and len(set(choice)) == len(choice) else flow(value): value for value in choice}


def _reached(bounds: Sequence[Any], step: float) -> tuple[Any, Any]:
    """The bounds, the upper one being the last that steps reach."""
    low, high, by = (Decimal(str(number)) for number in (*bounds, step))
    return bounds[0], type(bounds[0])(low + (high - low) // by * by)


class _NotThere(Exception):
    """A value that the space does not have."""


class _Own:
    """The config's own values as a source; `params` collects what Optuna would call them."""

    def __init__(self, config: Config) -> None:
        self._plain, self.params = plain_config(config), dict[str, Any]()

    def _value(self, name: str) -> Any:
        layers = name.endswith(".layers")
        node: Any = self._plain
        for part in parse_override(f"{name.removesuffix('.layers')}=0").key:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError) as error:
                raise _NotThere(name) from error
        if layers and not isinstance(node, list):
            raise _NotThere(name)
        return len(node) if layers else node

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        value = self._value(name)
        label = value if value in choices and not isinstance(value, bool | list | dict) else flow(value)
        return self._take(name, label, label in choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        value = self._value(name)
        there = isinstance(value, int) and low <= value <= high and (value - low) % step == 0
        return int(self._take(name, value, there))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        value = self._value(name)
        there = isinstance(value, int | float) and low <= value <= high
        if there and step is not None:
            there = (Decimal(str(value)) - Decimal(str(low))) % Decimal(str(step)) == 0
        return float(self._take(name, value, there))

    def _take(self, name: str, value: Any, there: bool) -> Any:
        if not there:
            raise _NotThere(name)
        self.params[name] = value
        return value


def own_params(config: Config, space: Space) -> tuple[dict[str, Any], str]:
    """Optuna's parameters for the config as it stands, and empty text; or none and the key whose value is not in the
    space.
    """
    own = _Own(config)
    try:
        draw(own, space)
    except _NotThere as missing:
        return {}, str(missing)
    return own.params, ""


class _Grid:
    """A source that takes, of each parameter, the value at the next place of `path`."""

    def __init__(self, path: Sequence[int]) -> None:
        self.path, self.widths, self.params = [*path], list[int](), dict[str, Any]()

    def _take(self, name: str, values: Sequence[Any]) -> Any:
        place = len(self.widths)
        if place == len(self.path):
            self.path.append(0)
        self.widths.append(len(values))
        self.params[name] = values[self.path[place]]
        return self.params[name]

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._take(name, choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return int(self._take(name, range(low, high + 1, step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        assert step is not None  # a grid of floats without step is refused with the config
        first, by = Decimal(str(low)), Decimal(str(step))
        count = int((Decimal(str(high)) - first) // by) + 1
        return float(self._take(name, [float(first + by * place) for place in range(count)]))


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Optuna's parameters for each combination, the last key changing fastest."""
    path: list[int] = []
    while True:
        found = _Grid(path)
        draw(found, space)
        yield found.params
        path = found.path
        while path and path[-1] + 1 == found.widths[len(path) - 1]:
            path.pop()
        if not path:
            return
        path[-1] += 1
