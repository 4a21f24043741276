import json
import re

import keras
import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._prepare import prepare_data
from dlrun.data._several_arrays import ArraysEncoder
from dlrun.data._sources import DataContext
from dlrun.data.npz import npz
from dlrun.errors import DataError

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(5, 3, (40, 3))
Y = np.arange(40) % 2
IMAGES = RANDOM.integers(0, 256, (40, 4, 5)).astype("uint8")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.npz"


def load(file, arrays, **options):
    np.savez(file, **arrays)
    return npz(DataContext(), path=str(file), **options)


def prepared(file, **options):
    options = {"path": str(file), **options}
    return prepare_data("npz", options, context=DataContext(), split=Split().model_dump(), seed=1)


def test_the_form_of_keras_files_gives_parts(file):
    dataset = load(file, {"x_train": X[:30], "y_train": Y[:30], "x_test": X[30:], "y_test": Y[30:]})
    assert dataset.raw["x"].dtype == "float32"
    np.testing.assert_allclose(dataset.raw["x"], X, rtol=1e-6)
    assert {part: (rows[0], rows[-1]) for part, rows in dataset.parts.items()} == {
        "training": (0, 29),
        "test": (30, 39),
    }
    assert dataset.tasks["y"].labels == ("0", "1")
    assert dataset.targets["y"].tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("inputs", "target"), [("x", "y"), ("X", "Y"), ("images", "labels"), ("data", "target"), ("features", "label")]
)
def test_common_names_are_found(file, inputs, target):
    dataset = load(file, {inputs: X, target: Y, "extra": Y})
    assert (list(dataset.raw), list(dataset.targets), dataset.parts) == ([inputs], [target], {})
    assert dataset.notes == ["arrays that are not used: extra"]


def test_parts_may_stand_in_front(file):
    arrays = {
        f"{part}_{what}": values[start : start + 10]
        for part, start in (("train", 0), ("val", 10), ("test", 20))
        for what, values in (("images", IMAGES), ("labels", Y[:, None]))
    }
    dataset = load(file, arrays)
    assert {part: rows[0] for part, rows in dataset.parts.items()} == {"training": 0, "validation": 10, "test": 20}
    np.testing.assert_array_equal(dataset.raw["images"][..., 0], IMAGES[:30])


def test_named_arrays_are_taken(file):
    dataset = load(file, {"a": X, "b": Y, "y": Y}, inputs="a", target="b")
    assert (list(dataset.raw), list(dataset.targets)) == (["a"], ["b"])


def test_without_target_only_the_inputs_are_learned(file):
    dataset = load(file, {"x_train": X[:30], "x_test": X[30:]}, target=None)
    assert (dataset.targets, dataset.tasks) == ({}, {})
    assert {part: len(rows) for part, rows in dataset.parts.items()} == {"training": 30, "test": 10}


def test_inputs_without_targets_are_left_out(file):
    dataset = load(file, {"x_train": X, "y_train": Y, "x_test": X})
    assert len(dataset.raw["x"]) == 40
    assert dataset.notes == ["x_test has no targets and is left out"]


TASKS = [
    (Y, "binary", ("0", "1"), "float32"),
    (Y * 2 - 1, "binary", ("-1", "1"), "float32"),
    (Y == 1, "binary", ("0", "1"), "float32"),
    (Y.astype("float32"), "binary", ("0", "1"), "float32"),
    (np.array(["no", "yes"])[Y], "binary", ("no", "yes"), "float32"),
    (np.arange(40)[:, None] % 4 + 1, "multiclass", ("1", "2", "3", "4"), "int32"),
    (np.eye(4)[np.arange(40) % 4], "multiclass", ("0", "1", "2", "3"), "float32"),
    (
        np.eye(4)[np.arange(40) % 4] + np.eye(4)[0][None] * (np.arange(40) % 4 > 0)[:, None],
        "multilabel",
        None,
        "float32",
    ),
    (X[:, 0], "regression", (), "float32"),
    (X[:, :2], "regression", (), "float32"),
    (np.arange(40), "regression", (), "float32"),
]


@pytest.mark.parametrize(("values", "kind", "labels", "dtype"), TASKS)
def test_the_task_follows_from_the_values(file, values, kind, labels, dtype):
    dataset = load(file, {"x": X, "y": values})
    task = dataset.tasks["y"]
    assert (task.kind, dataset.targets["y"].dtype) == (kind, dtype)
    assert task.labels == (("0", "1", "2", "3") if labels is None else labels)
    assert task.one_hot == (values.ndim == 2 and kind == "multiclass" and values.shape[1] > 1)
    assert task.outputs == (2 if values.shape[1:] == (2,) else 1)
    assert dataset.scale_targets == (kind == "regression")


def test_many_whole_numbers_are_said_to_be_classes(file):
    dataset = load(file, {"x": np.zeros((90, 2)), "y": np.arange(90) % 30})
    assert dataset.tasks["y"].kind == "multiclass"
    assert dataset.notes == ["the target is read as 30 classes; for numbers: data.task: regression"]
    assert npz(DataContext(), path=str(file), task="regression").tasks["y"].kind == "regression"


def test_classes_can_be_named(file):
    assert load(file, {"x": X, "y": Y}, labels=["no", "yes"]).tasks["y"].labels == ("no", "yes")


def test_bytes_stay_bytes_and_come_as_shares(file):
    np.savez(file, x=IMAGES, y=Y)
    data = prepared(file)
    assert data.arrays["x"].dtype == "uint8"
    assert data.spec.input.shape == (4, 5, 1)
    batch = data.encoder.batch(data.arrays, np.array([3, 1]))
    np.testing.assert_allclose(batch[..., 0], IMAGES[[3, 1]] / 255, rtol=1e-6)
    plain = prepared(file, divide_by=1.0)
    np.testing.assert_array_equal(plain.encoder.batch(plain.arrays, np.array([3]))[..., 0], IMAGES[[3]])


def test_flat_rows_are_standardised_by_the_training_rows_alone(file):
    np.savez(file, x=X, y=Y)
    data = prepared(file)
    training = data.splits["training"]
    np.testing.assert_allclose(data.arrays["x"][training].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.arrays["x"][training].std(axis=0), 1, atol=1e-5)
    others = X.copy()
    others[data.splits["test"]] *= 1000
    np.savez(file, x=others, y=Y)
    np.testing.assert_array_equal(prepared(file).arrays["x"][training], data.arrays["x"][training])
    np.testing.assert_allclose(prepared(file, standardise=False).arrays["x"], others, rtol=1e-6)


@pytest.mark.parametrize("values", [X, IMAGES], ids=["rows", "images"])
def test_predict_prepares_as_training_does(tmp_path, values):
    np.savez(tmp_path / "a.npz", x=values, y=Y)
    data = prepared(tmp_path / "a.npz")
    encoder = ArrayEncoder.from_state(json.loads(json.dumps(data.encoder.get_state())))
    np.save(tmp_path / "b.npy", values)
    np.savetxt(tmp_path / "b.csv", values.reshape(40, -1), delimiter=",")
    for name in ("a.npz", "b.npy", "b.csv"):
        raw = encoder.read([tmp_path / name])
        found = encoder.batch(encoder.apply(raw), np.arange(40))
        trained = data.encoder.batch(data.arrays, np.arange(40))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(found), trained, rtol=1e-5, atol=1e-5)


def test_several_inputs_come_side_by_side(tmp_path):
    np.savez(tmp_path / "a.npz", a=X, pixels=IMAGES, y=Y)
    data = prepared(tmp_path / "a.npz", inputs=["a", "pixels"])
    assert {name: spec.shape for name, spec in data.spec.inputs.items()} == {"a": (3,), "pixels": (4, 5, 1)}
    encoder = ArraysEncoder.from_state(json.loads(json.dumps(data.encoder.get_state())))
    raw = encoder.read([tmp_path / "a.npz"])
    found, trained = (
        e.batch(a, np.arange(40)) for e, a in ((encoder, encoder.apply(raw)), (data.encoder, data.arrays))
    )
    for name in ("a", "pixels"):
        np.testing.assert_allclose(found[name], trained[name], rtol=1e-5, atol=1e-5)
    with pytest.raises(DataError, match="several inputs cannot come from one table"):
        encoder.read([tmp_path / "a.csv"])
    np.savez(tmp_path / "b.npz", a=X[:3], pixels=IMAGES)
    with pytest.raises(DataError, match=r"different numbers of rows\n  received  a: 3, pixels: 40"):
        encoder.read([tmp_path / "b.npz"])


BROKEN = [
    ({"x": X, "y": Y}, {"inputs": []}, "data.inputs names no array"),
    ({"a": X, "b": X[:9], "y": Y}, {"inputs": ["a", "b"]}, "b and y have not one row for each other"),
    ({"a": X, "b": X[:9]}, {"inputs": ["a", "b"], "target": None}, "b and a have not one row for each other"),
    ({"a": X, "b_train": X}, {"inputs": ["a", "b"], "target": None}, "different parts\n  received  a; b_train"),
    ({"a": X, "b": Y}, {}, "HERE: it is not clear which array is the inputs\n  received  a: float64, shape (40, 3)"),
    ({"x": X, "b": Y}, {}, "HERE: it is not clear which array is the target"),
    ({}, {}, "which array is the inputs\n  received  an empty file"),
    ({"x": X, "yy": Y}, {"target": "yyy"}, "there is no array yyy, nor yyy_train\n"),
    ({"x": X, "y": Y[:30]}, {}, "x and y have not one row for each other\n  received  shapes (40, 3) and (30,)"),
    ({"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y}, {}, "or rows unlike those of the other parts"),
    ({"x": X[:0], "y": Y[:0]}, {}, "the array y has no rows"),
    ({"x": np.float32(1), "y": np.float32(1)}, {}, "x and y have not one row for each other"),
    ({"x": np.array([[1], [1, 2]], object), "y": Y[:2]}, {}, "the array x holds Python objects, which dlrun does not"),
    ({"x": X, "y": np.array([{}] * 40)}, {}, "the array y holds Python objects"),
    ({"x": np.array(["a"] * 40), "y": Y}, {}, "HERE: x: the inputs are no numbers\n  received  dtype <U1"),
    ({"x": np.where(X[7, 1] == X, np.nan, X), "y": Y}, {}, "HERE: x, row 8: an input is not a finite number"),
    ({"x": np.where(X[7, 1] == X, 1e300, X), "y": Y}, {}, "HERE: x, row 8: an input is not a finite number"),
    ({"x": X, "y": IMAGES}, {}, "HERE: y: the targets have too many axes\n  received  shape (40, 4, 5)"),
    ({"x": X, "y": Y.astype(complex)}, {}, "the targets are neither numbers nor texts\n  received  dtype complex128"),
    ({"x": X, "y": Y * 0}, {}, "HERE: y: all 40 rows have the same target, 0"),
    ({"x": X, "y": np.arange(40) % 3}, {"task": "binary"}, "the target has 3 different values, not two"),
    ({"x": X, "y": X[:, 0]}, {"task": "multiclass"}, "these targets are not what task: multiclass needs"),
    ({"x": X, "y": np.array(["a", "b"])[Y]}, {"task": "regression"}, "not what task: regression needs"),
    ({"x": X, "y": Y}, {"task": "multilabel"}, "not what task: multilabel needs"),
    ({"x": X, "y": np.eye(2)[Y] * 2}, {"task": "multilabel"}, "HERE: y, row 1: these targets are not what task: multi"),
    ({"x": X, "y": Y}, {"labels": ["a"]}, "data.labels does not name each class once\n  received  1: a\n  expected  2"),
    ({"x": X, "y": Y}, {"divide_by": 0.0}, "nothing can be divided by data.divide_by"),
    ({"x": X, "y": Y}, {"divide_by": 2.0}, "data.divide_by and data.standardise do the same work"),
    ({"x": X, "y_train": Y}, {}, "inputs and target have different parts\n  received  x; y_train"),
]


@pytest.mark.parametrize(("arrays", "options", "message"), BROKEN)
def test_what_cannot_be_used_is_named(file, arrays, options, message):
    with pytest.raises(DataError, match=re.escape(message.replace("HERE", str(file)))):
        load(file, arrays, **options)


@pytest.mark.parametrize("content", [b"no archive", b"PK\x03\x04 half of one", b""])
def test_a_damaged_file_is_named(file, content):
    file.write_bytes(content)
    with pytest.raises(
        DataError, match=r"a\.npz: the file is damaged or not what it should be: File is not a zip file"
    ):
        npz(DataContext(), path=str(file))


def test_numbers_missing_in_the_target_are_named(file):
    np.savez(file, x=X, y=np.where(X[:, 0] == X[4, 0], np.nan, X[:, 0]))
    with pytest.raises(DataError, match="npz: the target y is not a finite number in 1 rows\n  received  nan in row 5"):
        prepared(file)


def test_the_sample_is_refused():
    with pytest.raises(DataError, match="no generated stand-in for your own npz file"):
        npz(DataContext(sample=True), path="a")


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_file_of_mnist_as_arrays_of_ones_own():
    dataset = npz(DataContext(), path="mnist/mnist.npz")
    assert dataset.raw["x"].shape == (70_000, 28, 28, 1)
    assert {part: len(rows) for part, rows in dataset.parts.items()} == {"training": 60_000, "test": 10_000}
    assert dataset.tasks["y"].labels == tuple("0123456789")


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_file_of_boston_housing_as_arrays_of_ones_own():
    dataset = npz(DataContext(), path="boston_housing/boston_housing.npz")
    assert (dataset.raw["x"].shape, dataset.tasks["y"].kind) == ((506, 13), "regression")


def test_arrays_that_are_too_large_together_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", x=np.zeros((100, 10)), y=np.arange(100))
    monkeypatch.setenv("DLRUN_READ_LIMIT_GB", "8.7e-6")
    with pytest.raises(DataError, match=r"its arrays together are larger than 8.7e-06 GB"):
        npz(DataContext(), path=str(tmp_path / "a.npz"))
