"""The options that `dlrun generate` has for a run: those of the function `generate` beside its routine, from source."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.errors import ConfigError, UnknownNameError, did_you_mean, listing
from dlrun.registry import ROUTINES
from dlrun.signatures import Parameter, parse_file, signature_of

if TYPE_CHECKING:
    from dlrun.config.schema import Config  # without it: pydantic takes a quarter of a second

FUNCTION = "generate"  # generate(request, *, ...) -> Generated
RECORD = "generate.json"  # what a call did, beside what it made
_ALWAYS = ("seed", "weights", "output")


def options_of(config: Config) -> dict[str, Parameter]:
    """The options that the routine of a run generates with. Raises ConfigError when it has no function for it."""
    routine = config.routine.name
    path = ROUTINES.describe(routine, config.plugins).signature.file
    found = _function(path)
    if found is None:
        able = [name for name, entry in ROUTINES.entries().items() if _function(entry.signature.file)]
        raise ConfigError(
            f"a run of the routine `{routine}` generates nothing",
            expected=f"a run of {listing(able)}",
            hint="dlrun predict tells what a model says of rows",
        )
    return signature_of(found, path).keyword_parameters()


def generates(routine_file: str) -> bool:
    """Whether the file of a routine has a function to generate with; not when it is gone."""
    try:
        return _function(Path(routine_file)) is not None
    except (OSError, SyntaxError, UnicodeError):
        return False


def check_options(config: Config, stated: Iterable[str]) -> None:
    """Raise UnknownNameError for an option that the run's routine does not know."""
    known = [*options_of(config), *_ALWAYS]
    for name in stated:
        if name not in known:
            raise UnknownNameError(
                f"a run of the routine `{config.routine.name}` takes no {_option(name)}",
                expected=", ".join(map(_option, known)),
                hint=did_you_mean(name, known),
            )


def _function(path: Path) -> ast.FunctionDef | None:
    body = parse_file(path).body
    return next((node for node in body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION), None)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
