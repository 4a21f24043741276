"""Tables that scikit-learn brings along: no file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlrun.data._csv_files import Form
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.data._table import TableEncoder
from dlrun.data._transforms import Chain
from dlrun.spec import Task


def numeric_encoder(names: Sequence[str], target: str, transforms: Sequence[Any]) -> TableEncoder:
    """The encoder of a table of numeric columns; `predict` reads CSV files whose header has these names."""
    return TableEncoder(
        dict.fromkeys(names, "numeric"),
        layout=[*names, target],
        targets=[target],
        named=True,
        form=Form(),
        chains={"numeric": Chain.from_config(transforms), "categorical": Chain()},
    )


def bundled_table(
    context: DataContext, name: str, bunch: Any, target: str, *, transforms: Sequence[Any], scale_target: bool = False
) -> Dataset:
    """A dataset from what a `sklearn.datasets.load_*` function returned: classes when it names some, else numbers."""
    columns = {str(column): bunch.data[:, place] for place, column in enumerate(bunch.feature_names)}
    labels = tuple(map(str, bunch.get("target_names", ())))
    kind: Any = "regression" if not labels else "binary" if len(labels) == 2 else "multiclass"
    return Dataset(
        name=name,
        raw=columns,
        targets={target: np.asarray(bunch.target).astype("int32" if kind == "multiclass" else "float32")},
        encoder=numeric_encoder(list(columns), target, transforms),
        tasks={target: Task(kind, labels=labels)},
        columns=columns,
        scale_targets=scale_target,
        notes=[f"{name} comes with scikit-learn, so --sample changes nothing"] if context.sample else [],
    )
