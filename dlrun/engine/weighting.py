"""Weights of the training samples in the loss, from `training.class_weight` and `training.sample_weight`."""

from __future__ import annotations

import numpy as np

from dlrun.engine.resolve import Experiment
from dlrun.engine.scoring import true_labels
from dlrun.errors import ConfigError, DataError, did_you_mean, listing
from dlrun.events import Note


def sample_weights(experiment: Experiment) -> np.ndarray | None:
    """One weight per row `(rows,)`: its own times that of its class; None when the config weighs nothing.

    As in Keras, weights count in the loss of training, not in metrics and not in validation. Raises ConfigError,
    DataError.
    """
    if experiment.config.training.sample_weight is not None and not experiment.data.spec.tasks:
        message = f"the routine `{experiment.config.routine.name}` learns no targets, and weights count in their loss"
        raise ConfigError(message, key=("training", "sample_weight"), hint="remove it")
    own, by_class = _column_of_weights(experiment), class_weights(experiment)
    if by_class is None:
        return own
    (targets,) = experiment.data.targets.values()
    table = np.array([by_class[number] for number in range(len(by_class))], "float32")
    weights = np.asarray(table[true_labels(targets, experiment.data.spec.task)])
    return weights if own is None else weights * own


def _column_of_weights(experiment: Experiment) -> np.ndarray | None:
    """The column that `training.sample_weight` names, float32."""
    name, columns = experiment.config.training.sample_weight, experiment.data.columns
    if name is None:
        return None
    key = ("training", "sample_weight")
    if name not in columns:
        raise ConfigError(
            f"the data has no column {name!r}", key=key, expected=listing(columns), hint=did_you_mean(name, columns)
        )
    column = columns[name]
    if column.dtype.kind not in "biuf":
        raise DataError(f"the column {name!r} is not one of numbers, so it cannot weigh rows", key=key)
    unusable = ~np.isfinite(column) | (column < 0)
    if unusable.any():
        row = int(np.argmax(unusable))
        raise DataError(f"a weight must be a number of 0 or more, row {row + 1} has {column[row]:g}", key=key)
    if name in experiment.data.read_columns:
        hint = f"leave it out with data.drop: [{name}]"
        experiment.emit(Note(f"column {name!r} weighs the rows and is also an input; {hint}"))
    return np.asarray(column, "float32")


def class_weights(experiment: Experiment) -> dict[int, float] | None:
    """Weights by class index: as stated by label (others 1), or balanced as in scikit-learn, `n / (classes * count)`.

    Raises ConfigError when the task has no classes or a label is unknown.
    """
    wanted, data = experiment.config.training.class_weight, experiment.data
    if wanted is None:
        return None
    key = ("training", "class_weight")
    if len(data.spec.tasks) != 1:
        raise ConfigError(
            "class weights need one task, the data has several", key=key, received=", ".join(data.spec.tasks)
        )
    task = data.spec.task
    if task.kind not in ("binary", "multiclass"):
        raise ConfigError(f"class weights need classes, the task is {task.kind}", key=key)
    if isinstance(wanted, dict):
        stated = {str(label): float(weight) for label, weight in wanted.items()}
        for label in stated:
            if label not in task.labels:
                raise ConfigError(f"there is no label {label!r}", key=(*key, label), expected=listing(task.labels))
        return {number: stated.get(label, 1.0) for number, label in enumerate(task.labels)}
    (targets,) = data.targets.values()
    labels = true_labels(targets[data.splits["training"]], task)
    counts = np.bincount(labels, minlength=len(task.labels))
    return {k: len(labels) / (len(counts) * count) if count else 1.0 for k, count in enumerate(counts.tolist())}
