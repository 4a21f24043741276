"""An estimator of scikit-learn in a config against the source of the installed version."""

from __future__ import annotations

from typing import Any

from dlrun import sklearn_names
from dlrun.config.arguments import Taker, check_arguments, check_type
from dlrun.config.nodes import Report, dotted, show_value
from dlrun.config.types import Type
from dlrun.errors import Key, UnknownNameError
from dlrun.signatures import Parameter


def check_estimator(report: Report, key: Key, value: Any) -> Any:
    """A name, or a one-key mapping of a name to scikit-learn's own arguments."""
    if isinstance(value, str):
        _check_call(report, key, value, {}, on="value")
        return value
    if not isinstance(value, dict) or len(value) != 1:
        expected = "a name, or a mapping of one name to its arguments"
        hint = "write {RandomForestClassifier: {n_estimators: 200}}"
        report.add(key, f"{dotted(key)} is no estimator", received=show_value(value), expected=expected, hint=hint)
        return value
    ((name, arguments),) = value.items()
    if arguments is not None and not isinstance(arguments, dict):
        message = f"the arguments of {name} are not a mapping"
        report.add((*key, name), message, received=show_value(arguments))
        return value
    return {name: _check_call(report, (*key, name), str(name), arguments or {}, on="key")}


def _check_call(report: Report, key: Key, name: str, arguments: dict[Any, Any], *, on: Any) -> dict[Any, Any]:
    try:
        signature = sklearn_names.signature(name)
    except UnknownNameError as error:
        problem = error.problems[0]
        report.add(key, problem.message, on=on, expected=problem.expected, hint=problem.hint)
        return arguments
    parameters = {p.name: p for p in signature.parameters}
    taker = Taker(f"the estimator `{name}`", parameters, _check_value(report), accepts_more=signature.open)
    return check_arguments(report, key, arguments, taker)


def _check_value(report: Report) -> Any:
    def check(parameter: Parameter, key: Key, value: Any) -> Any:
        """By a default of true or false only: most others take several types, which scikit-learn checks itself."""
        if isinstance(parameter.default, bool) and not isinstance(value, bool):
            return check_type(report, key, value, Type("bool"))
        return value

    return check


def check_routine(report: Report, plain: dict[str, Any]) -> None:
    """Report what a run of scikit-learn has no use for."""
    routine = plain.get("routine")
    if not isinstance(routine, dict) or routine.get("name") != "sklearn":
        return
    for name in ("model", "callbacks"):
        if plain.get(name):
            hint = f"remove it, or drop it with -s ~{name}"
            report.add((name,), f"the routine `sklearn` takes no {name}: its estimator learns", on="key", hint=hint)
    training = plain.get("training")
    if isinstance(training, dict) and training.get("stages"):
        report.add(("training", "stages"), "the routine `sklearn` has no epochs, and so no stages")
