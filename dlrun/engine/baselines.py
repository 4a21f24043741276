"""What a model must beat: scores of guesses that know nothing of the inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dlrun.config.metric_names import split_name
from dlrun.config.schema import Output
from dlrun.data._dataset import Prepared
from dlrun.engine.scoring import true_labels
from dlrun.seeds import child_seed
from dlrun.spec import Task

SHUFFLED = "_shuffled"  # ends the name of what shuffled labels score
SHUFFLES = 20  # one alone is a matter of luck on few rows
_ALIASES = {
    **dict.fromkeys(("acc", "binary_accuracy", "sparse_categorical_accuracy", "categorical_accuracy"), "accuracy"),
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
}
_SMALLEST = 1e-7  # as keras.config.epsilon: the least probability in a crossentropy


def baselines(data: Prepared, split: str, *, seed: int, original_units: bool = False) -> dict[str, dict[str, float]]:
    """What knowing nothing of the inputs scores on a split, by task and metric.

    For classes `accuracy` is that of always saying the most frequent one of training, and `accuracy_shuffled` that of
    the labels themselves in random order, i.e. of guessing by their frequencies (DLwP 3.5.4). For numbers it is the
    mean and median of the training targets; for a series the last known value, the naive forecast (DLwP 6.3.3).
    Values are in the model's units, to stand beside what Keras logs, or in the original ones.
    """
    found = {}
    for name, targets in (data.original_targets if original_units else data.targets).items():
        task = data.spec.tasks[name]
        training, other = targets[data.splits["training"]], targets[data.splits[split]]
        if task.kind == "regression":
            known = _persistence(data, name, split, original_units) if name in data.persistence else None
            found[name] = _of_numbers(training, other, known)
        else:
            truth = true_labels(other, task)
            shuffled = _of_shuffled(truth, child_seed(seed, "baseline", name))
            found[name] = {**_of_labels(true_labels(training, task), truth, task), f"accuracy{SHUFFLED}": shuffled}
    return found


def _of_shuffled(truth: np.ndarray, seed: int) -> float:
    """The accuracy of a shuffled copy of the labels `(rows,)` or `(rows, labels)`, the mean of several shuffles."""
    random = np.random.default_rng(seed)
    return float(np.mean([(truth == random.permutation(truth)).mean() for _ in range(SHUFFLES)]))


def _of_numbers(training: np.ndarray, other: np.ndarray, known: np.ndarray | None) -> dict[str, float]:
    mean, median = (training.mean(axis=0), np.median(training, axis=0)) if known is None else (known, known)
    mse = float(((other - mean) ** 2).mean())
    return {"mae": float(np.abs(other - median).mean()), "mse": mse, "rmse": float(np.sqrt(mse))}


def _of_labels(training: np.ndarray, other: np.ndarray, task: Task) -> dict[str, float]:
    """From class indices `(rows,)`, or rows of 0 and 1 `(rows, labels)` where a sample may have several labels."""
    if task.kind == "multilabel":
        shares = np.clip(training.mean(axis=0), _SMALLEST, 1 - _SMALLEST)
        likely = np.where(other == 1, shares, 1 - shares)
        return {"accuracy": float((other == (shares > 0.5)).mean()), "crossentropy": float(-np.log(likely).mean())}
    shares = np.bincount(training, minlength=len(task.labels)) / len(training)
    likely = np.clip(shares[other], _SMALLEST, 1)
    return {"accuracy": float((other == shares.argmax()).mean()), "crossentropy": float(-np.log(likely).mean())}


def _persistence(data: Prepared, task: str, split: str, original_units: bool) -> np.ndarray:
    """The last known value of the target for the rows of a split, in the units of the targets it stands beside."""
    known = data.persistence[task][data.splits[split]]
    scaled = task in data.target_scales and not original_units
    return data.target_scales[task].apply(known) if scaled else known


def baseline_for(metric: str, loss: object, table: Mapping[str, float]) -> float | None:
    """The baseline that belongs to a logged metric such as `val_accuracy` or `val_loss`, or None."""
    name = metric.removeprefix("val_").removeprefix("bare_")
    if name == "loss" and isinstance(loss, str):
        name = "crossentropy" if loss.endswith("crossentropy") else loss
    return table.get(_ALIASES.get(name, name))


def levels_of(
    logged: Iterable[str], outputs: Mapping[str, Output], tables: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """The baseline of each logged name that has one, and `<name>_shuffled` where shuffled labels have a score, too."""
    found = {}
    for name in logged:
        owner, bare = split_name(name, outputs)
        if owner:
            found[name] = baseline_for(bare, outputs[owner].loss, tables[owner])
            found[name + SHUFFLED] = tables[owner].get(_ALIASES.get(bare, bare) + SHUFFLED)
        elif bare.removeprefix("bare_") == "loss":
            found[name] = _sum_of_losses(outputs, tables)
    return {name: level for name, level in found.items() if level is not None}


def _sum_of_losses(outputs: Mapping[str, Output], tables: Mapping[str, Mapping[str, float]]) -> float | None:
    """The baseline of the weighted sum that several outputs minimise, if each loss has one."""
    levels = [(output.weight, baseline_for("loss", output.loss, tables[name])) for name, output in outputs.items()]
    known = [weight * level for weight, level in levels if level is not None]
    return sum(known) if levels and len(known) == len(levels) else None


def by_logged_name(tables: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Values by task and metric as one mapping: `mae` for the only task, `age_mae` for one of several."""
    several = len(tables) > 1
    return {f"{task}_{name}" if several else name: value for task, own in tables.items() for name, value in own.items()}
