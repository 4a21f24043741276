import io
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlrun.data._words import WordsEncoder, ragged
from dlrun.errors import DataError

RANDOM = np.random.default_rng(3)
ROWS = ragged([RANDOM.integers(1, 101, length).astype("uint16") for length in (0, 1, 7, 40, 7, 12)])
WORDS = ["the", "and", "film", "was", "brilliant", "awful"]


def multi_hot(rows, width):
    """The plain form of DLwP listing 3-2."""
    found = np.zeros((len(rows), width), "float32")
    for place, row in enumerate(rows):
        found[place, row] = 1.0
    return found


@pytest.mark.parametrize("num_words", [101, 104, 128])
def test_multi_hot_batches_equal_the_plain_form(num_words):
    encoder = WordsEncoder(num_words=num_words)
    arrays = encoder.apply({"words": ROWS})
    assert arrays["words"].dtype == "uint8"
    assert arrays["words"].shape == (6, -(-num_words // 8))
    batch = encoder.batch(arrays, np.array([5, 0, 3]))
    assert encoder.inputs()["words"].shape == (num_words,)
    np.testing.assert_array_equal(batch, multi_hot(ROWS, num_words)[[5, 0, 3]])


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("reverse", [False, True])
def test_sequences_equal_keras_pad_sequences(padding, truncating, reverse):
    encoder = WordsEncoder(
        num_words=101, encoding="sequence", maxlen=10, padding=padding, truncating=truncating, reverse=reverse
    )
    arrays = encoder.apply({"words": ROWS})
    assert arrays["words"].dtype == "uint16"
    rows = [row[::-1] if reverse else row for row in ROWS]
    expected = keras.utils.pad_sequences(rows, 10, padding=padding, truncating=truncating)
    batch = encoder.batch(arrays, np.array([5, 0, 3, 2]))
    assert keras.backend.standardize_dtype(batch.dtype) == "int32"
    np.testing.assert_array_equal(batch, expected[[5, 0, 3, 2]])


def test_many_words_rest_in_32_bits():
    encoder = WordsEncoder(num_words=80_000, encoding="sequence", maxlen=3)
    arrays = encoder.apply({"words": ragged([np.array([70_000], "int32")])})
    assert arrays["words"].tolist() == [[0, 0, 70_000]]
    assert encoder.inputs()["words"].vocabulary_size == 80_000


@pytest.mark.parametrize("encoding", ["multi_hot", "count", "tf_idf", "one_hot", "sequence"])
@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_batches_are_made_in_the_graph(encoding, compiled):
    encoder = WordsEncoder(num_words=101, encoding=encoding, maxlen=10)
    encoder.fit({"words": ROWS}, np.arange(6))
    arrays = encoder.apply({"words": ROWS})
    expected = np.array(encoder.batch(arrays, np.arange(6)))
    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    function = tf.function(lambda indices: encoder.batch(tensors, indices), jit_compile=compiled)
    np.testing.assert_array_equal(function(tf.range(6)), expected)
    dataset = tf.data.Dataset.range(6).batch(4).map(lambda indices: encoder.batch(tensors, indices))
    np.testing.assert_array_equal(np.concatenate(list(dataset.as_numpy_iterator())), expected)


def test_text_becomes_ids_as_in_the_published_data():
    encoder = WordsEncoder(num_words=10, words=WORDS)
    assert encoder.encode("This FILM was\t<br />brilliant!").tolist() == [1, 2, 5, 6, 2, 7]
    assert encoder.decode([1, 2, 5, 6, 7, 0]) == "? film was brilliant"


def test_lines_of_text_and_rows_of_ids_are_read(tmp_path):
    (tmp_path / "a.txt").write_text("The film\n\nawful, awful\n")
    (tmp_path / "b.csv").write_text("1,5,6\n1\n")
    encoder = WordsEncoder(num_words=10, words=WORDS)
    raw = encoder.read([tmp_path / "a.txt", tmp_path / "b.csv"])
    assert [row.tolist() for row in raw["words"]] == [[1, 3, 5], [1, 8, 8], [1, 5, 6], [1]]
    assert encoder.describe(raw, 0) == "the film"


def test_standard_input_holds_lines_of_text(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the film\n")))
    assert WordsEncoder(num_words=10, words=WORDS).read(["-"])["words"][0].tolist() == [1, 3, 5]


def test_the_state_survives_json():
    encoder = WordsEncoder(num_words=10, encoding="sequence", maxlen=4, padding="post", reverse=True, words=WORDS)
    restored = WordsEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    assert restored.get_state() == encoder.get_state()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "1,2\n1,x\n", r"a\.csv:2: a word id is no whole number"),
        ("a.csv", "1,10\n", r"a\.csv:1: there is no word id 10\n  expected  0 to 9"),
        ("a.csv", "-1\n", r"a\.csv:1: there is no word id -1"),
        ("a.csv", "\n", r"a\.csv: the file has no rows"),
        ("a.txt", "\n \n", r"a\.txt: the file has no rows"),
    ],
)
def test_broken_input_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        WordsEncoder(num_words=10, words=WORDS).read([tmp_path / name])


def test_text_needs_the_words(tmp_path):
    (tmp_path / "a.txt").write_text("the film\n")
    with pytest.raises(DataError, match=r"put imdb_word_index\.json beside imdb\.npz"):
        WordsEncoder(num_words=10).read([tmp_path / "a.txt"])
