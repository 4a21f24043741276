"""From a dataset's name to data ready for training: load, split, learn from the training part, apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlrun.data._checks import check_classes, check_dataset, check_rested, check_sequence, classes_of
from dlrun.data._dataset import Dataset, Prepared, TargetScale
from dlrun.data._fingerprint import fingerprint
from dlrun.data._fitted import with_fitted
from dlrun.data._saved import Saved
from dlrun.data._sources import DataContext
from dlrun.data._splits import Rows, split_rows
from dlrun.errors import DataError, PluginError
from dlrun.registry import DATASETS
from dlrun.seeds import child_seed
from dlrun.spec import DataSpec


def prepare_data(
    name: str,
    parameters: Mapping[str, Any],
    *,
    context: DataContext,
    split: Mapping[str, Any],
    seed: int,
    fitted: Saved | None = None,
) -> Prepared:
    """Read the dataset `name` with its `parameters`, and prepare it. Raises DataError."""
    return prepare_dataset(read_dataset(name, parameters, context), split=split, seed=seed, fitted=fitted)


def read_dataset(name: str, parameters: Mapping[str, Any], context: DataContext) -> Dataset:
    """The rows of a dataset, raw, checked. Raises DataError."""
    dataset = DATASETS.get(name)(context, **parameters)
    if not isinstance(dataset, Dataset):
        raise PluginError(f"the dataset {name!r} returned {type(dataset).__name__}", expected="a Dataset")
    check_dataset(dataset)
    return dataset


def prepare_dataset(dataset: Dataset, *, split: Mapping[str, Any], seed: int, fitted: Saved | None = None) -> Prepared:
    """Divide a dataset by the `split` section and bring it to rest.

    `split` holds all keys of its section, `seed` is the root of the seed tree. Whatever is learned (encoder, target
    scales, labels) is learned from the training rows, or taken from `fitted`, the state of a run. Raises DataError.
    """
    check_sequence(dataset, split)
    if fitted:
        dataset = with_fitted(dataset, fitted)
    splits = split_rows(_rows(dataset), _fitting(dataset, split), _split_seed(split, seed))
    training = splits.indices["training"]
    raw = dataset.raw | dataset.shared
    if not fitted:
        check_classes(dataset, training)
        dataset.encoder.fit(raw, training)
    scales = fitted.target_scales if fitted else _target_scales(dataset, training)
    mark = fingerprint(dataset, splits.indices)
    rested = dataset.encoder.apply(raw)
    arrays = {key: array for key, array in rested.items() if key not in dataset.shared}
    check_rested(dataset.name, arrays, dataset.rows)
    return Prepared(
        dataset=dataset.name,
        arrays=arrays,
        shared={key: array for key, array in rested.items() if key in dataset.shared},
        targets={key: scales[key].apply(y) if key in scales else y for key, y in dataset.targets.items()},
        original_targets=dataset.targets,
        encoder=dataset.encoder,
        spec=DataSpec(dataset.encoder.inputs(), dict(dataset.tasks)),
        splits=splits.indices,
        split_kind=splits.kind,
        target_scales=scales,
        fingerprint=mark,
        files=[path.absolute() for path in dataset.files],
        notes=[*dataset.notes, *splits.notes, *_column_notes(dataset, split)],
        persistence=dataset.persistence,
        columns=dataset.columns,
        read_columns=tuple(dataset.raw),
    )


def _rows(dataset: Dataset) -> Rows:
    return Rows(dataset.rows, classes_of(dataset), dataset.parts, dataset.columns)


def _fitting(dataset: Dataset, split: Mapping[str, Any]) -> Mapping[str, Any]:
    """The split; for generated data, which is smaller than what it stands for, numbers of rows too large for it become
    shares.
    """
    if not dataset.generated:
        return split
    most = (dataset.rows - len(dataset.parts.get("test", ()))) // 2
    large = {key: split[key] for key in ("validation", "test", "training") if _is_number_above(split[key], most)}
    for key, wish in large.items():
        dataset.notes.append(
            f"split.{key}: {wish:,} rows are more than the generated data spares; a share of 0.2 is used"
        )
    return {**split, **dict.fromkeys(large, 0.2)}


def _is_number_above(wish: Any, most: int) -> bool:
    return isinstance(wish, int | float) and wish > most


def _split_seed(split: Mapping[str, Any], seed: int) -> int:
    own = split["seed"]
    return child_seed(seed, "split") if own is None else int(own)


def _column_notes(dataset: Dataset, split: Mapping[str, Any]) -> list[str]:
    """A warning when the column that keeps rows together is also something the model sees."""
    group = split["group"]
    if group and group in dataset.raw:
        return [f"column {group!r} groups the rows and is also an input; leave it out with data.drop: [{group}]"]
    return []


def _target_scales(dataset: Dataset, training: np.ndarray) -> dict[str, TargetScale]:
    """Mean and standard deviation of the training targets of each regression (`(x - mean) / std`, DLwP 3.6.2)."""
    if not dataset.scale_targets:
        return {}
    numbers = [name for name, task in dataset.tasks.items() if task.kind == "regression"]
    if not numbers:
        raise DataError("only regression targets can be scaled", key=("data", "scale_target"))
    own = {name: dataset.encoder.target_scale(name) for name in numbers}
    return {name: own[name] or _target_scale(dataset.targets[name][training]) for name in numbers}


def _target_scale(targets: np.ndarray) -> TargetScale:
    columns = targets.reshape(len(targets), -1).astype("float64")
    std = columns.std(axis=0)
    std[std == 0] = 1.0
    return TargetScale(tuple(columns.mean(axis=0).tolist()), tuple(std.tolist()))
