"""Weights of the training samples in the loss, from `training.class_weight`."""

from __future__ import annotations

import numpy as np

from dlrun.engine.resolve import Experiment
from dlrun.engine.scoring import true_labels
from dlrun.errors import ConfigError, listing


def sample_weights(experiment: Experiment) -> np.ndarray | None:
    """One weight per row `(rows,)`, that of its class; None when the config weighs nothing. Raises ConfigError."""
    weights = class_weights(experiment)
    if weights is None:
        return None
    (targets,) = experiment.data.targets.values()
    table = np.array([weights[number] for number in range(len(weights))], "float32")
    return np.asarray(table[true_labels(targets, experiment.data.spec.task)])


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
