"""Guard rails of the book's chapter 4: what a run may be told about its data, its model and its outcome.

Each rule gives a reason and something to do. A finding is a note while the run goes on, with its code, and stays in
`run.json` under `warnings`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from dlrun.config.metric_names import metric_names
from dlrun.config.schema import Config, Output
from dlrun.data._dataset import Prepared
from dlrun.data._times import times
from dlrun.engine.resolve import Experiment
from dlrun.engine.scoring import true_labels
from dlrun.engine.task_rules import loss_fits_loosely
from dlrun.errors import DataError
from dlrun.events import Note
from dlrun.run_dir import RunDir
from dlrun.spec import Task

MOST_SHARE = 0.8  # of the most frequent class, for accuracy to tell something
MOST_SIZE = 10.0  # root mean square of a column; standardised ones have 1
MOST_DUPLICATES = 0.01  # of the rows of a part that also train
MOST_BYTES = 2**30  # of rows compared with each other
LOOKED_AT = 256  # rows whose inputs are looked at, if they have
MOST_VALUES = 2**22  # together at most
_ACCURACIES = ("accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy")
_SCALING = ("Normalization", "Rescaling", "BatchNormalization", "LayerNormalization")


@dataclass(frozen=True)
class Finding:
    """What a rule has found; `code` names the rule and stays the same."""

    code: str
    message: str


def tell(experiment: Experiment, findings: Iterable[Finding]) -> None:
    """Emit the findings as notes and keep them in the run."""
    found = list(findings)
    for one in found:
        experiment.emit(Note(one.message, code=one.code))
    keep(experiment.run, found)


def keep(run: RunDir, found: Sequence[Finding]) -> None:
    """Keep the findings in `run.json`, in the place of earlier ones of the same rules, as of a run that is resumed."""
    if found:
        codes = {one.code for one in found}
        before = [one for one in run.record().get("warnings", []) if one["code"] not in codes]
        run.update(warnings=[*before, *map(asdict, found)])


def before_training(config: Config, data: Prepared, outputs: Mapping[str, Output], model: keras.Model) -> list[Finding]:
    """What can be seen before the first step; of generated stand-in data only what concerns the model."""
    found = [*_loss(data.spec.tasks, outputs), *_bottleneck(model, data.spec.tasks)]
    if not data.fingerprint.get("sample"):
        found += [*_classes(data, outputs), *_inputs(config, data, model), *_duplicates(data), *_time(data)]
    return found


def _loss(tasks: Mapping[str, Task], outputs: Mapping[str, Output]) -> Iterator[Finding]:
    """A loss that works but is not that of table 4-1."""
    for name, task in tasks.items():
        loss = outputs[name].loss
        if loss is not None and (reason := loss_fits_loosely(loss, task)):
            yield Finding("loss", reason if len(tasks) == 1 else f"{name}: {reason}")


def _bottleneck(model: keras.Model, tasks: Mapping[str, Task]) -> Iterator[Finding]:
    """A hidden layer that everything must pass and that is much narrower than there are classes (DLwP 3.5.7)."""
    classes = min((len(task.labels) for task in tasks.values() if task.kind == "multiclass"), default=0)
    outputs = keras.tree.flatten(getattr(model, "outputs", None) or [])
    last = [id(output._keras_history.operation) for output in outputs]
    for layer in model.layers:
        units = getattr(layer, "units", classes)
        if 2 * units < classes and outputs and id(layer) not in last and not _reach_inputs(outputs, layer):
            yield Finding(
                "bottleneck",
                f"the hidden layer {layer.name} has {units} units for {classes} classes: what it drops no later layer "
                f"finds again (DLwP 3.5.7); give it {classes} or more",
            )


def _reach_inputs(tensors: Sequence[Any], without: keras.Layer) -> bool:
    """Whether a way leads from tensors back to an input past a layer."""
    waiting, seen = list(tensors), set[int]()
    while waiting:
        tensor = waiting.pop()
        operation, place, _ = tensor._keras_history
        if operation is without or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        before = operation._inbound_nodes[place].input_tensors
        if not before:
            return True
        waiting += before
    return False


def _classes(data: Prepared, outputs: Mapping[str, Output]) -> Iterator[Finding]:
    """Accuracy alone, where one class has most of the rows (DLwP 4.5.2)."""
    for name, task in data.spec.tasks.items():
        one_label = task.kind in ("binary", "multiclass")
        if not one_label or set(metric_names(outputs[name].metrics or [])) - set(_ACCURACIES):
            continue
        labels = true_labels(data.targets[name][data.splits["training"]], task)
        counts = np.bincount(labels, minlength=len(task.labels))
        share = counts.max() / counts.sum()
        if share >= MOST_SHARE:
            more = "{AUC: {}}" if task.kind == "binary" else "{F1Score: {average: macro}}"
            yield Finding(
                "classes",
                f"{share:.0%} of the training rows are {task.labels[int(counts.argmax())]}, and always saying so has "
                f"this accuracy (DLwP 4.5.2); measure more: -s 'metrics=[accuracy, {more}]'",
            )


def _inputs(config: Config, data: Prepared, model: keras.Model) -> Iterator[Finding]:
    """Columns of large numbers (DLwP 4.3.1), unless the model scales them itself."""
    if any(type(layer).__name__ in _SCALING for layer in model.layers[:3]):
        return
    training = data.splits["training"]
    size = sum(math.prod(side or 1 for side in spec.shape) for spec in data.spec.inputs.values())
    count = max(1, min(LOOKED_AT, MOST_VALUES // size))
    rows = training[:: max(1, len(training) // count)][:count]
    gathered = {name: np.asarray(array[rows]) for name, array in data.arrays.items()}
    batch = data.encoder.batch({**gathered, **data.shared}, np.arange(len(rows)))
    named = batch if isinstance(batch, Mapping) else {next(iter(data.spec.inputs)): batch}
    for name, spec in data.spec.inputs.items():
        if spec.vocabulary_size is not None or not spec.dtype.startswith("float"):
            continue
        values = keras.ops.convert_to_numpy(named[name])
        sizes = np.sqrt((values.reshape(-1, values.shape[-1]).astype("float64") ** 2).mean(axis=0))
        if sizes.max() > MOST_SIZE:
            keys = [key for key in config.data.parameters if key in ("transforms", "numeric_transforms")]
            todo = f"-s 'data.{keys[0]}=[standardise]'" if keys else "let the model begin with Normalization"
            where = f"column {int(sizes.argmax()) + 1} of {name}" if len(sizes) > 1 else name
            yield Finding(
                "inputs",
                f"{where} has numbers of about {sizes.max():.3g} (others of {sizes.min():.3g}), and networks learn "
                f"from small ones of equal size (DLwP 4.3.1); {todo}",
            )


def _duplicates(data: Prepared) -> Iterator[Finding]:
    """Rows of a held-out part that train as well (DLwP 4.2.2)."""
    arrays = list(data.arrays.values())
    if data.encoder.kind == "table":  # of people with equal values in a few columns the names and tickets tell
        arrays += data.columns.values()
    held_out = {part: rows for part, rows in data.splits.items() if part != "training"}
    if not arrays or not held_out:
        return
    size = sum(array.nbytes for array in arrays)
    if size > MOST_BYTES or any(isinstance(array, np.memmap) for array in arrays):
        yield Finding("duplicates", f"duplicates between the parts were not looked for: {size / 2**30:.1f} GiB of rows")
        return
    training = set(_row_hashes(arrays, data.splits["training"]))
    for part, rows in held_out.items():
        count = sum(one in training for one in _row_hashes(arrays, rows))
        if count > max(1, MOST_DUPLICATES * len(rows)):
            yield Finding(
                "duplicates",
                f"{count:,} of {len(rows):,} {part} rows ({count / len(rows):.1%}) are training rows too, so its "
                "scores are too good (DLwP 4.2.2); leave repetitions out, or keep them together: split.kind: grouped",
            )


def _row_hashes(arrays: Sequence[np.ndarray], rows: np.ndarray) -> Iterator[int]:
    """64 bits of each row; two different rows among 100,000 share theirs once in four thousand million times."""
    texts, numbers = ([a for a in arrays if (a.dtype.kind == "O") is text] for text in (True, False))
    for row in rows.tolist():
        yield hash((b"".join(array[row].tobytes() for array in numbers), *(str(array[row]) for array in texts)))


def _time(data: Prepared) -> Iterator[Finding]:
    """Rows that have a date, split at random (DLwP 4.2.2)."""
    if data.split_kind not in ("shuffled", "stratified"):
        return
    for name, column in data.columns.items():
        if _are_dates(column):
            yield Finding(
                "time",
                f"column {name!r} has dates, and the split is {data.split_kind}: the model trains on what comes after "
                f"the rows it is judged by (DLwP 4.2.2); -s split.kind=time -s 'split.time={name}'",
            )
            return


def _are_dates(column: np.ndarray) -> bool:
    """Whether the values are written dates, most of them different."""
    few = column[:: max(1, len(column) // LOOKED_AT)]
    if few.dtype.kind not in "OU" or not all(isinstance(value, str) and len(value) >= 8 for value in few):
        return False
    if any(value.replace(".", "").isdigit() for value in few) or len(set(few)) < len(few) / 2:
        return False
    try:
        return bool(np.isfinite(times(few, "")).all())
    except DataError:
        return False


def after_training(
    config: Config, run: str, metrics: Mapping[str, Any], history: Sequence[Mapping[str, float]]
) -> list[Finding]:
    """What the outcome shows, if there was a validation part. `run` is the run's id, `metrics` as in `metrics.json`."""
    if not metrics["validated"] or not metrics["best"]:
        return []
    return [*_baseline(metrics), *_fitting(config, run, metrics["best_epoch"], history)]


def _baseline(metrics: Mapping[str, Any]) -> Iterator[Finding]:
    """A best epoch that is no better than a guess that knows nothing of the inputs (DLwP 4.5.5)."""
    name, levels = metrics["monitor"], metrics["baselines"]
    name = name.replace("loss", "bare_loss") if name.replace("loss", "bare_loss") in levels else name
    if name not in levels:
        return
    value, level = metrics["best"][name], levels[name]
    if value >= level if metrics["mode"] == "min" else value <= level:
        yield Finding(
            "baseline",
            f"{name} {value:.4g} is no better than {level:.4g}, which needs no inputs (DLwP 4.5.5): look at the data "
            "(dlrun data), the learning rate, the size of the model",
        )


def _fitting(config: Config, run: str, best_epoch: int, history: Sequence[Mapping[str, float]]) -> Iterator[Finding]:
    """Training that ended too early or went on too long (DLwP 4.4); nothing where EarlyStopping watches over it."""
    bare = "val_bare_loss" in history[0]
    name = "bare_loss" if bare else "loss"
    epochs = len(history)
    if epochs < 5 or f"val_{name}" not in history[0] or any(c.name == "EarlyStopping" for c in config.callbacks):
        return
    held_out = [row[f"val_{name}"] for row in history]
    best, late = int(np.argmin(held_out)), max(2, epochs // 5)
    earlier = min(held_out[:-late])
    if best == epochs - 1 and held_out[best] < 0.99 * earlier:
        more = f"dlrun train --resume {run} -s training.epochs={2 * epochs}"
        if config.training.stages:
            more = f"a new run with more epochs in the last of training.stages ({run} had {epochs} in all)"
        yield Finding("under_fitting", f"val_{name} was still falling in epoch {epochs} (DLwP 4.4); go on: {more}")
    elif epochs - 1 - best >= late and held_out[-1] > 1.1 * held_out[best] and history[-1][name] < history[best][name]:
        yield Finding(
            "over_fitting",
            f"over-fitting since epoch {best + 1}: val_{name} rose from {held_out[best]:.4g} to {held_out[-1]:.4g} "
            f"while {name} fell (DLwP 4.4); -s callbacks=[EarlyStopping], a smaller model, dropout; "
            f"dlrun retrain {run} trains for {best_epoch} epochs",
        )
