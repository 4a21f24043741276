"""Which losses and metrics can be computed for a task (DLwP table 4-1), and the labels they want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlrun.data._dataset import Prepared
from dlrun.errors import ConfigError, Key, Problem
from dlrun.keras_names import to_snake_case
from dlrun.spec import TABLE_4_1, Task

_CLASSIFICATION_LOSSES = ("crossentropy", "hinge", "bce", "kl_divergence", "kld", "dice", "tversky")
_CLASSIFYING = (
    "accuracy",
    "auc",
    "precision",
    "recall",
    "crossentropy",
    "f1",
    "fbeta",
    "f_beta",
    "hinge",
    "iou",
    "io_u",
)


def check_loss(loss: str | dict[str, Any], task: Task, key: Key = ()) -> None:
    """Refuse a loss, stated below `key`, that cannot learn the task. Raises ConfigError with the table."""
    name = _object_name(loss)
    wrong = None
    if task.kind == "regression" and any(part in name for part in _CLASSIFICATION_LOSSES):
        wrong = "the target is a number"
    elif task.kind == "multiclass" and (name.startswith("binary") or name == "bce"):
        wrong = f"there are {len(task.labels)} classes, one per sample"
    elif task.kind == "multiclass" and name.startswith("sparse_") and task.one_hot:
        wrong = "the labels are one-hot rows"
    elif task.kind == "multilabel" and "categorical" in name:
        wrong = "a sample may have several labels"
    elif task.kind == "binary" and "categorical" in name:
        wrong = "there are two classes and one sigmoid unit"
    if wrong:
        raise ConfigError(
            f"the loss {name} does not fit the data: {wrong}",
            key=(*key, "loss"),
            expected=TABLE_4_1,
            hint=f"leave the key out, or write loss: {task.head.loss}",
        )


def loss_fits_loosely(loss: str | dict[str, Any], task: Task) -> str | None:
    """A warning for a loss that works but is not the usual one for the task, or None."""
    name = _object_name(loss)
    if task.classifies and ("squared_error" in name or name in ("mse", "mae") or "absolute_error" in name):
        return f"loss {name} on a {task.kind} task; table 4-1 of the book has {task.head.loss}"
    return None


def check_metrics(
    metrics: Sequence[str | dict[str, Any]], loss: str | dict[str, Any], task: Task, key: Key = ()
) -> None:
    """Refuse metrics, stated below `key`, that the task cannot have. Raises ConfigError with the place of each."""
    problems = []
    for position, entry in enumerate(metrics):
        name = _object_name(entry)
        wrong = hint = None
        if task.kind == "regression" and (name in ("acc", "ce") or any(part in name for part in _CLASSIFYING)):
            wrong, hint = "the target is a number", "mae, mse, ..."
        elif task.kind == "multilabel" and (name in ("accuracy", "acc") or "categorical" in name):
            wrong, hint = "it takes one label per sample, and a sample may have several", "binary_accuracy, AUC, ..."
        elif task.kind == "binary" and "categorical" in name:
            wrong, hint = "the task is binary", "accuracy, AUC, Precision, Recall, ..."
        elif task.kind == "multiclass" and name.startswith("binary"):
            wrong, hint = "there are more than two classes", "accuracy"
        elif task.kind == "multiclass" and wants_one_hot(loss, task) and name.startswith("sparse_"):
            wrong, hint = "the loss takes one-hot labels", name.removeprefix("sparse_")
        elif task.kind == "multiclass" and not wants_one_hot(loss, task) and needs_one_hot(entry):
            wrong, hint = "the loss takes integer labels", "loss: categorical_crossentropy"
        if wrong:
            place = (*key, "metrics", position)
            problems.append(Problem(f"the metric {name} does not fit: {wrong}", key=place, hint=hint))
    if problems:
        raise ConfigError(problems=problems)


def wants_one_hot(loss: str | dict[str, Any], task: Task) -> bool:
    """Whether labels of several classes are to be given as rows of zeros and a one: all losses but `sparse_` ones."""
    return task.kind == "multiclass" and not _object_name(loss).startswith("sparse_")


def needs_one_hot(metric: str | dict[str, Any]) -> bool:
    """Whether a metric of several classes compares whole rows; Keras resolves `accuracy` and the like by shape."""
    name = _object_name(metric)
    return name not in ("accuracy", "acc", "crossentropy", "ce") and not name.startswith("sparse_")


def _object_name(entry: str | dict[str, Any]) -> str:
    return to_snake_case(entry if isinstance(entry, str) else next(iter(entry)))


def with_labels_for(losses: Mapping[str, str | dict[str, Any]], data: Prepared) -> Prepared:
    """The data with those classes as one-hot rows whose loss takes them; `losses` by task."""
    tasks = {
        name: replace(task, one_hot=True) if wants_one_hot(losses[name], task) else task
        for name, task in data.spec.tasks.items()
    }
    return replace(data, spec=replace(data.spec, tasks=tasks))
