"""From a dataset's name to data ready for training: load, split, learn from the training part, apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlrun.data._dataset import Dataset, Prepared, TargetScale
from dlrun.data._fingerprint import fingerprint
from dlrun.data._sources import DataContext
from dlrun.data._splits import Rows, split_rows
from dlrun.errors import DataError, PluginError
from dlrun.registry import DATASETS
from dlrun.seeds import child_seed
from dlrun.spec import DataSpec, Task


def prepare_data(
    name: str, parameters: Mapping[str, Any], *, context: DataContext, split: Mapping[str, Any], seed: int
) -> Prepared:
    """Load the dataset `name` with its `parameters`, divide it by the `split` section, bring it to rest.

    `seed` is the root of the seed tree; `split` may hold a seed of its own. Whatever is learned (encoder, target
    scale) is learned from the training rows. Raises DataError.
    """
    dataset = DATASETS.get(name)(context, **parameters)
    if not isinstance(dataset, Dataset):
        raise PluginError(f"the dataset {name!r} returned {type(dataset).__name__}", expected="a Dataset")
    check_dataset(dataset)
    splits = split_rows(_rows(dataset), _fitting(dataset, split), _split_seed(split, seed))
    check_training_classes(dataset, splits.indices["training"])
    notes = [*dataset.notes, *splits.notes, *_column_notes(dataset, split)]
    training = splits.indices["training"]
    dataset.encoder.fit(dataset.raw, training)
    mark = fingerprint(dataset, splits.indices)
    scale = _target_scale(dataset, training)
    return Prepared(
        dataset=dataset.name,
        arrays=dataset.encoder.apply(dataset.raw),
        targets={key: scale.apply(values) if scale else values for key, values in dataset.targets.items()},
        original_targets=dataset.targets,
        encoder=dataset.encoder,
        spec=DataSpec(dataset.encoder.inputs(), dict(dataset.tasks)),
        splits=splits.indices,
        split_kind=splits.kind,
        target_scale=scale,
        fingerprint=mark,
        files=[path.absolute() for path in dataset.files],
        notes=notes,
    )


def check_dataset(dataset: Dataset) -> None:
    """Raises DataError when the rows and targets a builder returned cannot be learned from."""
    if not dataset.rows:
        raise DataError(f"the dataset {dataset.name} has no rows")
    for name, array in {**dataset.raw, **dataset.targets}.items():
        if len(array) != dataset.rows:
            raise DataError(f"{dataset.name}: {name} has {len(array):,} rows, the targets have {dataset.rows:,}")
    for name, targets in dataset.targets.items():
        if targets.dtype.kind == "f" and not np.isfinite(targets).all():
            wrong = np.argwhere(~np.isfinite(targets))
            row = int(wrong[0][0])
            raise DataError(
                f"{dataset.name}: the target {name} is not a finite number in {len(wrong):,} rows",
                received=f"{targets[tuple(wrong[0])]} in row {row + 1}",
                hint="leave these rows out, or repair them",
            )
        _check_labels(dataset.name, name, targets, dataset.tasks[name])


def _check_labels(dataset: str, name: str, targets: np.ndarray, task: Task) -> None:
    if task.kind not in ("binary", "multiclass") or task.one_hot:
        return
    found = np.unique(targets)
    if found[0] < 0 or found[-1] >= len(task.labels):
        raise DataError(
            f"{dataset}: the target {name} holds class {found[-1] if found[0] >= 0 else found[0]:g}",
            expected=f"0 to {len(task.labels) - 1}, for {len(task.labels)} labels",
        )
    if len(found) < 2:
        raise DataError(
            f"{dataset}: all rows belong to one class, {task.labels[int(found[0])]!r}",
            expected="rows of at least two classes",
        )


def check_training_classes(dataset: Dataset, training: np.ndarray) -> None:
    """Raises DataError when the training rows of a classification all belong to one class."""
    classes = _classes(dataset)
    if classes is None or len(np.unique(classes[training])) > 1:
        return
    (task,) = dataset.tasks.values()
    raise DataError(
        f"all {len(training):,} training rows belong to one class, {task.labels[int(classes[training[0]])]!r}",
        key=("split", "kind"),
        hint="the rows are ordered by class: use split.kind: stratified or shuffled",
    )


def _classes(dataset: Dataset) -> np.ndarray | None:
    """The class of each row `(rows,)` when the data has one task with one class per row."""
    if len(dataset.tasks) != 1:
        return None
    ((name, task),) = dataset.tasks.items()
    if task.kind not in ("binary", "multiclass"):
        return None
    targets = dataset.targets[name]
    return np.asarray(targets.argmax(axis=1) if task.one_hot else targets.reshape(len(targets)).astype("int64"))


def _rows(dataset: Dataset) -> Rows:
    return Rows(dataset.rows, _classes(dataset), dataset.parts, dataset.columns)


def _fitting(dataset: Dataset, split: Mapping[str, Any]) -> Mapping[str, Any]:
    """The split; for generated data, which is smaller than what it stands for, numbers of rows too large for it become
    shares.
    """
    if not dataset.generated:
        return split
    most = (dataset.rows - len(dataset.parts.get("test", ()))) // 2
    large = {key: split[key] for key in ("validation", "test") if _is_number_above(split.get(key), most)}
    for key, wish in large.items():
        dataset.notes.append(
            f"split.{key}: {wish:,} rows are more than the generated data spares; a share of 0.2 is used"
        )
    return {**split, **dict.fromkeys(large, 0.2)}


def _is_number_above(wish: Any, most: int) -> bool:
    return isinstance(wish, int | float) and wish > most


def _split_seed(split: Mapping[str, Any], seed: int) -> int:
    own = split.get("seed")
    return child_seed(seed, "split") if own is None else int(own)


def _column_notes(dataset: Dataset, split: Mapping[str, Any]) -> list[str]:
    """A warning when the column that keeps rows together is also something the model sees."""
    group = split.get("group")
    if group and group in dataset.raw:
        return [f"column {group!r} groups the rows and is also an input; leave it out with data.drop: [{group}]"]
    return []


def _target_scale(dataset: Dataset, training: np.ndarray) -> TargetScale | None:
    """Mean and standard deviation of the training targets (`(x - mean) / std`, DLwP 3.6.2 for inputs)."""
    if not dataset.scale_targets:
        return None
    if any(task.kind != "regression" for task in dataset.tasks.values()):
        raise DataError("only regression targets can be scaled", key=("data", "scale_target"))
    (targets,) = dataset.targets.values()
    columns = targets[training].reshape(len(training), -1).astype("float64")
    std = columns.std(axis=0)
    std[std == 0] = 1.0
    return TargetScale(tuple(columns.mean(axis=0).tolist()), tuple(std.tolist()))
