"""The names under which Keras logs what a config states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dlrun import keras_names

_MAXIMISED = (
    *("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "sensitivity", "specificity", "top_k"),
    *("similarity", "correlation", "concordance"),
)


def metric_name(entry: str | dict[str, Any]) -> str:
    """The name of one metric in Keras' logs: `mae`, `{AUC: {}}` -> `auc`, `{AUC: {name: area}}` -> `area`.

    A string is logged as it stands, a class by its `name`: the stated one, the default, or the class' own in snake
    case (keras.src.trainers.compile_utils, Keras 3.15).
    """
    if isinstance(entry, str):
        return entry
    own, stated = _own_and_stated(entry)
    return str(stated or _default_name(own) or keras_names.to_snake_case(own))


def metric_names(entries: Sequence[str | dict[str, Any]]) -> list[str]:
    """The names of all metrics of a model in Keras' logs; equal ones are numbered: `auc`, `auc_1`."""
    found = []
    made: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for entry in entries:
        name = metric_name(entry)
        if _is_made_up(entry):  # numbered when the metric is made, and once more in the logs
            made[name] += 1
            name = _numbered(name, made[name])
        counted[name] += 1
        found.append(_numbered(name, counted[name]))
    return found


def all_metric_names(outputs: Mapping[str, Sequence[str | dict[str, Any]]]) -> list[str]:
    """What Keras logs for the metrics of each output by name, losses included.

    With one output `loss` and the metrics' own names; with several `loss`, which is their sum, then `age_loss`,
    `age_mae` and so on (keras.src.trainers.compile_utils, Keras 3.15; the logs are in alphabetical order).
    """
    if len(outputs) == 1:
        (metrics,) = outputs.values()
        return ["loss", *metric_names(metrics)]
    by_output = [f"{output}_{name}" for output, own in outputs.items() for name in ("loss", *metric_names(own))]
    return ["loss", *by_output]


def split_name(logged: str, outputs: Collection[str]) -> tuple[str, str]:
    """The output that a logged name is about, and the name without it: `val_age_mae` -> `("age", "mae")`.

    With one output every name is about it; of several, `""` stands for all of them together.
    """
    bare = logged.removeprefix("val_")
    if len(outputs) == 1:
        return next(iter(outputs)), bare
    owner = max((name for name in outputs if bare.startswith(f"{name}_")), key=len, default="")
    return owner, bare.removeprefix(f"{owner}_") if owner else bare


def more_is_better(name: str) -> bool:
    """Whether a metric of this name is one of those that shall be high."""
    return any(part in name.lower() for part in _MAXIMISED)


def _numbered(name: str, count: int) -> str:
    return name if count == 1 else f"{name}_{count - 1}"


def _is_made_up(entry: str | dict[str, Any]) -> bool:
    """Whether Keras makes the name up from the class, never the same twice."""
    if isinstance(entry, str):
        return False
    own, stated = _own_and_stated(entry)
    return stated is None and _default_name(own) is None


def _own_and_stated(entry: dict[str, Any]) -> tuple[str, Any]:
    ((text, arguments),) = entry.items()
    own = keras_names.canonical("metrics", str(text)) or str(text)
    return own, arguments.get("name") if isinstance(arguments, dict) else None


def _default_name(own: str) -> str | None:
    """The default of the class' `name` argument."""
    if keras_names.canonical("metrics", own) is None:
        return None
    defaults = {p.name: p.default for p in keras_names.signature("metrics", own).parameters}
    return defaults.get("name") if isinstance(defaults.get("name"), str) else None
