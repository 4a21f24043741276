"""What no single key can tell: does the monitor name something that will be logged, do the split's keys go together?"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from dlrun import keras_names
from dlrun.config.nodes import Report, dotted
from dlrun.errors import Key, did_you_mean, listing

_CLOSE = 0.84  # so like a known name that it must be a slip; custom metrics of plugins stay below


def check_coherence(report: Report, plain: dict[str, Any]) -> None:
    """Report what contradicts itself. Values of a wrong type were reported before and are passed over."""
    split = plain.get("split") if isinstance(plain.get("split"), dict) else {}
    _check_split(report, split or {})
    routine = plain.get("routine")
    if isinstance(routine, dict) and routine.get("name") != "fit":
        return  # other routines log other things
    for key, name in _monitored(plain):
        if not report.reported(key):
            _check_monitor(report, key, name, plain, split or {})


def _monitored(plain: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Every place that names a metric to watch."""
    monitor = plain.get("monitor")
    if isinstance(monitor, dict) and isinstance(monitor.get("metric"), str):
        yield ("monitor", "metric"), monitor["metric"]
    callbacks = plain.get("callbacks")
    for index, callback in enumerate(callbacks if isinstance(callbacks, list) else []):
        if isinstance(callback, dict) and isinstance(callback.get("monitor"), str):
            yield ("callbacks", index, "monitor"), callback["monitor"]


def _check_monitor(report: Report, key: Key, name: str, plain: dict[str, Any], split: dict[str, Any]) -> None:
    names = stated_metric_names(plain.get("metrics"))
    if names is not None:
        known = ["loss", *names]
        known += [f"val_{metric}" for metric in known]
        if name not in known and not _logged_by_keras(name):
            message = f"{dotted(key)} is not a metric of this run"
            report.add(key, message, received=name, expected=listing(known), hint=did_you_mean(name, known))
            return
    elif slip := _slip(name):
        message = f"{dotted(key)} is not the name of a metric"
        report.add(key, message, received=name, hint=f"did you mean {slip}?")
        return
    without = split.get("validation") in (0, 0.0) and not isinstance(split.get("validation"), bool)
    if name.startswith("val_") and without and not split.get("fold") and split.get("kind") != "given":
        message = f"{dotted(key)} needs a validation part, and split.validation is 0"
        report.add(key, message, received=name, hint=f"write {name.removeprefix('val_')}, or set split.validation")


def _logged_by_keras(name: str) -> bool:
    return name == "learning_rate"


def stated_metric_names(metrics: Any) -> list[str] | None:
    """The names under which Keras 3 logs the stated metrics; None when the task chooses them."""
    if not isinstance(metrics, list):
        return None
    names = []
    for item in metrics:
        if isinstance(item, str):
            names.append(item)
        elif isinstance(item, dict) and len(item) == 1:
            ((name, arguments),) = item.items()
            stated = arguments.get("name") if isinstance(arguments, dict) else None
            own = keras_names.canonical("metrics", str(name)) or str(name)
            names.append(stated or _logged_name(own))
    return names


def _logged_name(own: str) -> str:
    """The default of the class' `name` argument, else its name in snake case."""
    parameters = (
        {p.name: p for p in keras_names.signature("metrics", own).parameters} if own in _metric_classes() else {}
    )
    default = parameters["name"].default if "name" in parameters else None
    return default if isinstance(default, str) else keras_names.to_snake_case(own)


def _metric_classes() -> set[str]:
    return set(keras_names.names("metrics").values())


def _slip(name: str) -> str | None:
    """The known metric of which `name` is a misspelling, or None."""
    known = {"loss", *keras_names.names("metrics")}
    known |= {f"val_{metric}" for metric in known}
    if name in known:
        return None
    close = difflib.get_close_matches(
        name, [metric for metric in known if metric == metric.lower()], n=1, cutoff=_CLOSE
    )
    return close[0] if close else None


def _check_split(report: Report, split: dict[str, Any]) -> None:
    for name in ("validation", "test"):
        value = split.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if (value < 0 or (isinstance(value, float) and value >= 1)) and not report.reported(("split", name)):
            expected = "a share from 0 to below 1, or a number of rows (an integer)"
            report.add(("split", name), f"split.{name} is out of range", received=str(value), expected=expected)
    if split.get("kind") == "grouped" and split.get("group") is None:
        report.add(("split", "kind"), "split.kind grouped needs split.group", hint="add `group: COLUMN`")
    fold = split.get("fold")
    if isinstance(fold, dict):
        index, count = fold.get("index"), fold.get("n_splits", 4)
        if isinstance(index, int) and isinstance(count, int) and index >= count >= 2:
            key: Key = ("split", "fold", "index")
            report.add(key, "split.fold.index is out of range", received=str(index), expected=f"0 to {count - 1}")
