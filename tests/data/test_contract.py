"""What every dataset promises; each one runs offline."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from image_files import write_classes

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.registry import DATASETS

SPLIT = Split().model_dump()

TABLE = "size,colour,sold\n" + "".join(f"{k % 7},{'red' if k % 3 else 'blue'},{k % 2}\n" for k in range(60))
SERIES = "day,heat,wind\n" + "".join(
    f"2024-01-{1 + k // 24:02d} {k % 24:02d}:00,{k % 24},{k % 7}\n" for k in range(200)
)
TEXTS = "review,mood\n" + "".join(f"film {k} was {'good' if k % 2 else 'bad'},{k % 2}\n" for k in range(60))


def file_options(folder, content, **options):
    """Options of a dataset that reads one file with this content."""
    (folder / "a.csv").write_text(content)
    return {"path": str(folder / "a.csv"), **options}


def text_options(folder):
    """Options of a folder with texts of two classes."""
    for k in range(60):
        file = folder / "texts" / ("good" if k % 2 else "bad") / f"{k}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"film {k} was {file.parent.name}")
    return {"path": str(folder / "texts"), "encoding": "sequence", "maxlen": 3}


def corpus_options(folder):
    """Options of a running text."""
    (folder / "corpus.txt").write_text("the cat sat on the mat. " * 20)
    return {"path": str(folder / "corpus.txt"), "maxlen": 8, "test": 0.1}


def image_options(folder):
    """Options of a folder with images of two classes."""
    return {"path": str(write_classes(folder / "images", rows=12)), "height": 6, "width": 5}


def array_options(folder):
    """Options of a file with rows of numbers and two classes."""
    np.savez(folder / "a.npz", x=np.arange(120.0).reshape(60, 2), y=np.arange(60) % 2)
    return {"path": str(folder / "a.npz")}


# Datasets of the user's own files, which have no sample: files for them, and the options that name these.
OWN_FILES = {
    "csv": lambda folder: file_options(folder, TABLE, target="sold"),
    "timeseries_csv": lambda folder: file_options(folder, SERIES, target="heat", lookback=12, step=3, delay=2),
    "text_csv": lambda folder: file_options(folder, TEXTS, text="review", label="mood", num_words=30),
    "text_folder": text_options,
    "text_corpus": corpus_options,
    "image_folder": image_options,
    "npz": array_options,
}


# `pictures` has rows that are changed themselves: no targets, nothing to validate (tests/data/test_pictures.py)
@pytest.fixture(params=[name for name in DATASETS.builtin_names() if name != "pictures"])
def prepared(request, tmp_path):
    own = request.param in OWN_FILES
    options = OWN_FILES[request.param](tmp_path) if own else {}
    context = DataContext(sample=not own, folders=[tmp_path])
    return prepare_data(request.param, options, context=context, split=SPLIT, seed=1)


def test_batches_have_the_shape_and_dtype_of_the_spec(prepared):
    arrays = {**prepared.arrays, **prepared.shared}
    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    batch = tf.function(lambda indices: prepared.encoder.batch(tensors, indices))(tf.constant([2, 0, 5]))
    again = prepared.encoder.batch(arrays, np.array([2, 0, 5]))
    for name, spec in prepared.spec.inputs.items():
        made, same = (found[name] if isinstance(found, dict) else found for found in (batch, again))
        assert tuple(made.shape) == (3, *spec.shape)
        assert keras.backend.standardize_dtype(made.dtype) == spec.dtype
        np.testing.assert_array_equal(made, same)


def test_rows_targets_and_splits_fit_together(prepared):
    targets = next(iter(prepared.targets.values()))
    indices = np.concatenate(list(prepared.splits.values()))
    assert all(len(array) == len(targets) for array in prepared.arrays.values())
    assert len(np.unique(indices)) == len(indices) <= len(targets)
    assert set(prepared.splits) == {"training", "validation", "test"}
    for name, task in prepared.spec.tasks.items():
        dtypes = {"binary": "float32", "multiclass": "int32", "regression": "float32"}
        assert prepared.targets[name].dtype == dtypes[task.kind]


@pytest.mark.parametrize("name", DATASETS.builtin_names())
def test_every_option_is_described(name):
    signature = DATASETS.describe(name).signature
    assert signature.first_doc_line.endswith(".")
    for parameter in signature.keyword_parameters():
        assert f"`{parameter}`" in signature.doc
