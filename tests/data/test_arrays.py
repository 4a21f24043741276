import json

import numpy as np
import pytest
import tensorflow as tf

from dlrun.data._arrays import ArrayEncoder
from dlrun.errors import DataError

PIXELS = np.arange(48, dtype="uint8").reshape(3, 4, 4, 1) % 17


def pixels(**options):
    return ArrayEncoder("image", (4, 4, 1), dtype="uint8", divide_by=16.0, value_range=(0, 16), **options)


@pytest.mark.parametrize("compiled", [None, False, True], ids=["eager", "graph", "xla"])
def test_batches_equal_plain_numpy(compiled):
    encoder = pixels()
    arrays = encoder.apply({"image": PIXELS})
    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    make = lambda indices: encoder.batch(tensors, indices)  # noqa: E731
    batch = (make if compiled is None else tf.function(make, jit_compile=compiled))(tf.constant([2, 0]))
    assert arrays["image"].dtype == "uint8"
    assert batch.dtype == "float32"
    np.testing.assert_array_equal(batch, (PIXELS[[2, 0]] / 16).astype("float32"))


def test_batches_are_made_inside_tf_data():
    encoder = pixels()
    tensors = {"image": tf.constant(PIXELS)}
    dataset = tf.data.Dataset.range(3).batch(2).map(lambda indices: encoder.batch(tensors, indices))
    np.testing.assert_array_equal(np.concatenate(list(dataset)), (PIXELS / 16).astype("float32"))


def test_transforms_learn_from_the_given_rows_only():
    values = np.array([[1.0, 10.0], [3.0, 30.0], [100.0, 100.0]])
    encoder = ArrayEncoder("features", (2,), transforms=["standardise"])
    encoder.fit({"features": values}, np.array([0, 1]))
    restored = ArrayEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    np.testing.assert_allclose(restored.apply({"features": values})["features"], [[-1, -1], [1, 1], [98, 8]])


def test_rows_are_read_from_text_npy_and_npz(tmp_path):
    np.savetxt(tmp_path / "a.csv", PIXELS.reshape(3, 16), fmt="%d", delimiter=",")
    np.savetxt(tmp_path / "a.tsv", PIXELS.reshape(3, 16), fmt="%d", delimiter="\t")
    np.save(tmp_path / "a.npy", PIXELS)
    np.save(tmp_path / "one.npy", PIXELS[0])
    np.savez(tmp_path / "a.npz", image=PIXELS, other=np.zeros(3))
    names = ("a.csv", "a.tsv", "a.npy", "one.npy", "a.npz")
    raw = pixels().read([tmp_path / name for name in names])
    np.testing.assert_array_equal(raw["image"], np.concatenate([PIXELS, PIXELS, PIXELS, PIXELS[:1], PIXELS]))


BROKEN = [
    ("a.csv", "1,2\n", r"a\.csv:1: the row has 2 values\n  expected  4 values in a row"),
    ("a.csv", "1,2,3,4\n1,2,x,4\n", r"a\.csv:2: column 3: 'x' is not a number"),
    ("a.csv", "1,2,3,nan\n", r"a\.csv: row 1, column 4: nan is not a finite number"),
    ("a.csv", "1,2,3,17\n", r"a\.csv: row 1, column 4: 17 is no value of p\n  expected  whole numbers from 0 to 16"),
    ("a.csv", "1,2,0.5,3\n", r"a\.csv: row 1, column 3: 0\.5 is no value of p"),
    ("a.csv", "", r"a\.csv: the file has no rows"),
    ("a.npy", "no array", r"a\.npy: the file is damaged or not what it should be"),
    ("b.csv", None, r"b\.csv: there is no such file"),
    ("b.npy", None, r"b\.npy: there is no such file"),
]


@pytest.mark.parametrize(("name", "text", "message"), BROKEN)
def test_broken_input_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    encoder = ArrayEncoder("p", (4,), dtype="uint8", divide_by=16.0, value_range=(0, 16))
    with pytest.raises(DataError, match=message):
        encoder.read([tmp_path / name])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), r"received  shape \(2, 3\)\n  expected  4 values in a row"),
        (np.array(["a"] * 4), "the array holds no numbers"),
        (np.array([None] * 4), "damaged or not what it should be: Object arrays cannot be loaded"),
    ],
)
def test_unfit_arrays_are_named(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=message):
        ArrayEncoder("p", (4,)).read([tmp_path / "a.npy"])


def test_an_archive_without_the_array_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(4), b=np.zeros(4))
    with pytest.raises(DataError, match="there is no array named p\n  received  a, b"):
        ArrayEncoder("p", (4,)).read([tmp_path / "a.npz"])


def test_transformed_bytes_do_not_wrap_around():
    raw = {"p": np.array([[0, 255], [10, 100], [20, 101]], "uint8")}
    encoder = ArrayEncoder("p", (2,), dtype="uint8", transforms=["standardise"])
    encoder.fit(raw, np.arange(3))
    rest = encoder.apply(raw)["p"]
    assert rest.dtype == "float32"
    np.testing.assert_allclose(rest.mean(axis=0), 0, atol=1e-6)
    assert rest.min() < -1


def test_values_that_do_not_fit_at_rest_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("1,300\n")
    with pytest.raises(DataError, match=r"column 2: 300 is no value of p\n  expected  whole numbers from 0 to 255"):
        ArrayEncoder("p", (2,), dtype="uint8").read([tmp_path / "a.csv"])


def test_a_header_that_promises_too_much_is_told(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(4))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"(4,), }" + b" " * 14, b"(400000000000000,), }"))
    with pytest.raises(DataError, match=r"a\.npy: the file is damaged or not what it should be"):
        ArrayEncoder("p", (4,)).read([tmp_path / "a.npy"])
