"""What every dataset promises; each one runs offline."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.registry import DATASETS

SPLIT = Split().model_dump()

OPTIONS = {"csv": {"target": "sold"}}
TABLE = "size,colour,sold\n" + "".join(f"{k % 7},{'red' if k % 3 else 'blue'},{k % 2}\n" for k in range(60))


@pytest.fixture(params=DATASETS.builtin_names())
def prepared(request, tmp_path):
    options = dict(OPTIONS.get(request.param, {}))
    if request.param == "csv":
        (tmp_path / "a.csv").write_text(TABLE)
        options["path"] = str(tmp_path / "a.csv")
    context = DataContext(sample=request.param != "csv", folders=[tmp_path])
    return prepare_data(request.param, options, context=context, split=SPLIT, seed=1)


def test_batches_have_the_shape_and_dtype_of_the_spec(prepared):
    tensors = {name: tf.constant(array) for name, array in prepared.arrays.items()}
    batch = tf.function(lambda indices: prepared.encoder.batch(tensors, indices))(tf.constant([2, 0, 5]))
    (spec,) = prepared.spec.inputs.values()
    assert tuple(batch.shape) == (3, *spec.shape)
    assert keras.backend.standardize_dtype(batch.dtype) == spec.dtype
    np.testing.assert_array_equal(batch, prepared.encoder.batch(prepared.arrays, np.array([2, 0, 5])))


def test_rows_targets_and_splits_fit_together(prepared):
    ((name, task),) = prepared.spec.tasks.items()
    targets = prepared.targets[name]
    indices = np.concatenate(list(prepared.splits.values()))
    assert all(len(array) == len(targets) for array in prepared.arrays.values())
    assert len(np.unique(indices)) == len(indices) <= len(targets)
    assert set(prepared.splits) == {"training", "validation", "test"}
    assert targets.dtype == {"binary": "float32", "multiclass": "int32", "regression": "float32"}[task.kind]


@pytest.mark.parametrize("name", DATASETS.builtin_names())
def test_every_option_is_described(name):
    signature = DATASETS.describe(name).signature
    assert signature.first_doc_line.endswith(".")
    for parameter in signature.keyword_parameters():
        assert f"`{parameter}`" in signature.doc
