import json

import numpy as np
import pytest
import tensorflow as tf

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._saved import load_preprocessing, save_preprocessing
from dlrun.data._sources import DataContext
from dlrun.data._texts import TextsEncoder, indexed
from dlrun.engine.feeding import Feeder
from dlrun.errors import DataError

BOOK = ["The cat sat on the mat.", "The dog ate my homework."]  # DLwP 6.1.1


def fitted(texts=BOOK, rows=None, **options):
    encoder = TextsEncoder(**{"num_words": 1000, **options})
    raw = indexed(texts, encoder.lower)
    encoder.fit(raw, np.arange(len(texts)) if rows is None else rows)
    return TextsEncoder.from_state(json.loads(json.dumps(encoder.get_state()))), raw


def test_words_are_ranked_as_by_keras_tokenizer():
    theirs = tf.keras.preprocessing.text.Tokenizer(num_words=1000)
    theirs.fit_on_texts(BOOK)
    encoder, raw = fitted()
    assert encoder.words == list(theirs.word_index)
    assert len(encoder.words) == 9
    assert encoder.encode(BOOK[0]).tolist() == theirs.texts_to_sequences(BOOK)[0]
    packed = encoder.apply(raw)
    np.testing.assert_array_equal(encoder.batch(packed, np.array([0, 1])), theirs.texts_to_matrix(BOOK, mode="binary"))


def test_sequences_are_those_of_keras_tokenizer_and_padding():
    texts = [*BOOK, "A cat, a <br /> DOG\tand a\nMat_a!", "", "ünder Ünder the"]
    theirs = tf.keras.preprocessing.text.Tokenizer(num_words=6)
    theirs.fit_on_texts(texts)
    expected = tf.keras.preprocessing.sequence.pad_sequences(theirs.texts_to_sequences(texts), maxlen=4)
    encoder, raw = fitted(texts, num_words=6, encoding="sequence", maxlen=4)
    np.testing.assert_array_equal(encoder.batch(encoder.apply(raw), np.arange(5)), expected)


def test_an_unknown_word_can_be_marked():
    encoder, raw = fitted(num_words=4, unknown="mark", encoding="sequence", maxlen=6)
    assert encoder.words == ["the", "cat"]
    assert encoder.apply(raw)["words"].tolist() == [[2, 3, 1, 1, 2, 1], [0, 2, 1, 1, 1, 1]]
    assert encoder.encode("the bird").tolist() == [2, 1]
    assert encoder.decode([0, 2, 3, 1]) == "the cat ?"


def test_the_words_are_learned_from_the_training_rows_only():
    texts = ["good film", "bad film", "awful awful awful awful"]
    encoder, raw = fitted(texts, rows=np.array([0, 1]), encoding="sequence", maxlen=2)
    assert encoder.words == ["film", "good", "bad"]
    assert encoder.apply(raw)["words"].tolist() == [[2, 1], [3, 1], [0, 0]]


def test_equally_frequent_words_keep_the_order_of_the_training_rows():
    encoder, _ = fitted(["c x", "a b", "b a"], rows=np.array([1, 2]))
    assert encoder.words == ["a", "b"]


def test_a_split_leaves_the_words_of_other_rows_out(tmp_path):
    rows = [f"word{k} was {'good' if k % 2 else 'bad'},{k % 2}" for k in range(50)]
    (tmp_path / "a.csv").write_text("review,mood\n" + "\n".join(rows))
    options = {"path": str(tmp_path / "a.csv"), "text": "review", "label": "mood"}
    split = Split().model_dump()
    data = prepare_data("text_csv", options, context=DataContext(), split=split, seed=1)
    training = {f"word{k}" for k in data.splits["training"]}
    assert {word for word in data.encoder.words if word.startswith("word")} == training
    stated = prepare_data("text_csv", {**options, "vocabulary_from": 10}, context=DataContext(), split=split, seed=1)
    assert {word for word in stated.encoder.words if word.startswith("word")} == {f"word{k}" for k in range(10)}
    (tmp_path / "b.csv").write_text("review,mood\nword99 was good,1\nword98 was bad,0\n")
    parts = {**options, "test_path": str(tmp_path / "b.csv"), "vocabulary_from": "all_training"}
    whole = prepare_data("text_csv", parts, context=DataContext(), split=Split(training=5).model_dump(), seed=1)
    assert {word for word in whole.encoder.words if word.startswith("word")} == {f"word{k}" for k in range(50)}
    assert stated.notes == ["the vocabulary is learned from the first 10 rows, those that validate included"]


def test_an_evaluation_uses_the_words_of_the_run(tmp_path):
    (tmp_path / "a.csv").write_text("review,mood\n" + "".join(f"film {k} fine,{k % 2}\n" for k in range(50)))
    options = {"path": str(tmp_path / "a.csv"), "text": "review", "label": "mood", "encoding": "sequence", "maxlen": 3}
    split = Split().model_dump()
    first = prepare_data("text_csv", options, context=DataContext(), split=split, seed=1)
    save_preprocessing(first, tmp_path / "run")
    saved = load_preprocessing(tmp_path / "run")
    (tmp_path / "a.csv").write_text("review,mood\n" + "".join(f"other {k} fine,{k % 2}\n" for k in range(50)))
    again = prepare_data("text_csv", options, context=DataContext(), split=split, seed=1, fitted=saved)
    film, fine = first.encoder.encode("film fine").tolist()
    assert again.encoder.words == first.encoder.words
    assert (first.arrays["words"] == film).any(axis=1).all()
    assert not (again.arrays["words"] == film).any()
    assert (again.arrays["words"][:, -1] == fine).all()


@pytest.mark.parametrize("encoding", ["multi_hot", "sequence"])
def test_batches_inside_tf_data_are_those_outside(encoding):
    encoder, raw = fitted(encoding=encoding, maxlen=7)
    rested = encoder.apply(raw)
    rows = np.array([1, 0, 1], "int32")
    (mapped,) = tf.data.Dataset.from_tensors(rows).map(Feeder(encoder, rested).inputs)
    np.testing.assert_array_equal(mapped, encoder.batch(rested, rows))


def test_texts_come_from_lines_columns_or_whole_files(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("the cat\n\nthe unheard dog\n")
    (tmp_path / "a.csv").write_text("id,text\n1,the cat\n2,the dog\n")
    encoder, _ = fitted(encoding="sequence", maxlen=2)
    lines = encoder.read([tmp_path / "a.txt", tmp_path / "a.csv"])
    assert encoder.apply(lines)["words"].tolist() == [[1, 2], [1, 6], [1, 2], [1, 6]]
    assert encoder.describe(lines, 1) == "the unheard dog"
    whole, _ = fitted(encoding="sequence", maxlen=4, whole_files=True)
    assert whole.apply(whole.read([tmp_path / "a.txt"]))["words"].tolist() == [[1, 2, 1, 6]]


def test_texts_that_cannot_be_read_are_named(tmp_path):
    encoder, _ = fitted()
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "other.csv").write_text("id,texts\n1,the cat\n")
    with pytest.raises(DataError, match=r"empty\.txt: the file has no text"):
        encoder.read([tmp_path / "empty.txt"])
    with pytest.raises(DataError, match=r"other\.csv: the column 'text' is missing(.|\n)*did you mean texts\?"):
        encoder.read([tmp_path / "other.csv"])


def test_texts_without_words_teach_nothing():
    with pytest.raises(DataError, match="the texts of the training part hold no words"):
        fitted(["...", "!"])
