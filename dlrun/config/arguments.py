"""Arguments against a signature: unknown names, missing ones, and defaults filled in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dlrun.config.nodes import Report, dotted, show_value
from dlrun.config.types import Mismatch, Type, convert, describe, from_source
from dlrun.errors import Key, did_you_mean, listing
from dlrun.signatures import NOT_LITERAL, REQUIRED, Parameter

# What people write from habit, where the spelling is too far off for a suggestion by likeness.
_HABITS = {
    "lr": "learning_rate",
    "num_units": "units",
    "neurons": "units",
    "kernel": "kernel_size",
    "rate": "dropout",
    "vocab_size": "num_words",
    "max_len": "maxlen",
    "reg": "kernel_regularizer",
}

CheckValue = Callable[[Parameter, Key, Any], Any]


@dataclass(frozen=True)
class Taker:
    """What takes arguments: a builder or a Keras object.

    Attributes:
        title: Its name in messages, such as ``the optimizer `adam` ``.
        parameters: What may be given, by name.
        check_value: Checks and converts one value.
        supplied: Required parameters that dlrun gives itself.
        accepts_more: It takes any further argument.
        alone: Its name where it was written as a text, which leaves no room for arguments.
    """

    title: str
    parameters: Mapping[str, Parameter]
    check_value: CheckValue
    supplied: Collection[str] = ()
    accepts_more: bool = False
    alone: str = ""


def check_arguments(report: Report, key: Key, arguments: Mapping[Any, Any], taker: Taker) -> dict[Any, Any]:
    """The arguments at `key` with values as the taker's parameters want them; what is wrong goes into the report."""
    checked: dict[Any, Any] = {}
    for name, value in arguments.items():
        if name in taker.parameters:
            checked[name] = taker.check_value(taker.parameters[name], (*key, name), value)
        elif taker.accepts_more:
            checked[name] = value
        else:
            unknown_argument(report, (*key, name), taker)
    missing = [
        name
        for name, parameter in taker.parameters.items()
        if parameter.required and name not in arguments and name not in taker.supplied
    ]
    if missing:
        what = "arguments" if len(missing) > 1 else "the argument"
        wanted, hint = from_source(taker.parameters[missing[0]].annotation), _example(missing[0], taker.alone)
        expected = f"{missing[0]}: {describe(wanted)}" if wanted.name == "Literal" else None
        report.add(key, f"{taker.title} needs {what} {', '.join(missing)}", on="key", expected=expected, hint=hint)
    return checked


def unknown_argument(report: Report, key: Key, taker: Taker) -> None:
    """Report a name that the taker does not know."""
    name, known = str(key[-1]), list(taker.parameters)
    habit = _HABITS.get(name.lower())
    hint = f"did you mean {habit}?" if habit in known else did_you_mean(name, known)
    expected = listing(known, 16) if known else "no arguments"
    report.add(key, f"{dotted(key)} is not an argument of {taker.title}", on="key", expected=expected, hint=hint)


def _example(name: str, alone: str) -> str:
    examples = {"units": "units: 32", "filters": "filters: 32", "kernel_size": "kernel_size: 3", "rate": "rate: 0.5"}
    example = examples.get(name, f"{name}: ...")
    return f"write {{{alone}: {{{example}}}}}" if alone else f"add {example}"


def check_type(report: Report, key: Key, value: Any, wanted: Type) -> Any:
    """The value converted to a type; None and a problem in the report when it does not fit."""
    try:
        return convert(wanted, value)
    except Mismatch as mismatch:
        report_mismatch(report, key, mismatch)
        return None


def report_mismatch(report: Report, key: Key, mismatch: Mismatch) -> None:
    """A wrong type or value in plain words."""
    where = (*key, *mismatch.path)
    wanted = describe(mismatch.wanted)
    choices = literal_choices(mismatch.wanted)
    text = isinstance(mismatch.value, str)
    hint = did_you_mean(mismatch.value, choices) if text and choices else None
    if hint is None and text and _is_number(mismatch.value) and ("number" in wanted or "integer" in wanted):
        hint = "remove the quotes"
    if hint is None and wanted.startswith("text") and not isinstance(mismatch.value, list | dict | None):
        hint = "put it in quotes"
    if hint is None and wanted.startswith("a list") and not isinstance(mismatch.value, list | dict):
        hint = f"write [{mismatch.value}]" if mismatch.value is not None else None
    on: Literal["key", "value"] = "key" if mismatch.path and mismatch.value is mismatch.path[-1] else "value"
    report.add(where, f"{dotted(where)} is not {wanted}", on=on, received=show_value(mismatch.value), hint=hint)


def literal_choices(wanted: Type) -> list[str]:
    """The texts a Literal (or a union with one) allows."""
    if wanted.name == "Literal":
        return [str(value) for value in wanted.arguments]
    return (
        [choice for member in wanted.arguments for choice in literal_choices(member)] if wanted.name == "Union" else []
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def literal_defaults(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The defaults that source code states as literals; tuples as lists."""
    return {
        p.name: as_list(p.default) for p in parameters if p.default is not REQUIRED and p.default is not NOT_LITERAL
    }


def as_list(value: Any) -> Any:
    """Tuples as lists, at any depth, as YAML has them."""
    if isinstance(value, list | tuple):
        return [as_list(item) for item in value]
    if isinstance(value, dict):
        return {key: as_list(item) for key, item in value.items()}
    return value
