import json
import string

import numpy as np
import pytest
import tensorflow as tf

from dlrun.config.schema import Split
from dlrun.data._cache import in_memory
from dlrun.data._prepare import prepare_data
from dlrun.data._saved import load_preprocessing, save_preprocessing
from dlrun.data._sources import DataContext
from dlrun.data._texts import TextsEncoder
from dlrun.data._tokens import Splitting, hashed, indexed, word_chunks, words_of
from dlrun.engine.feeding import Feeder
from dlrun.errors import DataError

BOOK = ["The cat sat on the mat.", "The dog ate my homework."]  # DLwP 6.1.1


def fitted(texts=BOOK, rows=None, **options):
    encoder = TextsEncoder(**{"num_words": 1000, **options})
    raw = indexed(texts, encoder.splitting)
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


@pytest.mark.parametrize(("encoding", "mode"), [("multi_hot", "binary"), ("count", "count"), ("tf_idf", "tfidf")])
def test_bags_are_those_of_keras_tokenizer(encoding, mode):
    texts = [*BOOK, "a cat, a cat, a mat: cat!", "", "the end"]
    theirs = tf.keras.preprocessing.text.Tokenizer(num_words=9)
    theirs.fit_on_texts(texts)
    encoder, raw = fitted(texts, num_words=9, encoding=encoding)
    rested = encoder.apply(raw)
    batch = encoder.batch(rested, np.array([2, 0, 1, 3, 4, 2]))
    expected = theirs.texts_to_matrix([texts[k] for k in (2, 0, 1, 3, 4, 2)], mode=mode)
    np.testing.assert_allclose(batch, expected, rtol=1e-6)
    assert tuple(encoder.inputs()["words"].shape) == (9,)


def test_tf_idf_knows_of_no_text_but_those_that_train():
    texts = ["a b", "a c", "b b b b"]
    first, _ = fitted(texts, rows=np.array([0, 1]), encoding="tf_idf", num_words=5)
    other, _ = fitted([*texts[:2], "c c c"], rows=np.array([0, 1]), encoding="tf_idf", num_words=5)
    assert first.get_state() == other.get_state()
    np.testing.assert_allclose(first.factors, np.log(1 + 2 / (1 + np.array([0, 2, 1, 1, 0]))), rtol=1e-6)


def test_words_one_hot_are_the_book_s():
    """DLwP listing 6-1: white space divides, case and punctuation stay, 10 words of each text."""
    index = {}
    for text in BOOK:
        for word in text.split():
            index.setdefault(word, len(index) + 1)
    expected = np.zeros((2, 10, len(index) + 1))
    for row, text in enumerate(BOOK):
        for place, word in enumerate(text.split()[:10]):
            expected[row, place, index[word]] = 1.0
    plain = Splitting(lower=False, punctuation="keep")
    encoder, raw = fitted(
        num_words=11, encoding="one_hot", maxlen=10, padding="post", truncating="post", splitting=plain
    )
    batch = encoder.batch(encoder.apply(raw), np.arange(2))
    assert batch.shape == (2, 10, 11)
    np.testing.assert_array_equal(batch, expected)


def test_characters_one_hot_are_one_each_which_the_book_s_are_not():
    """DLwP listing 6-2 builds its index the wrong way round, from number to character, so that looking up a character
    gives None; and `results[i, j, None] = 1` sets all 101 places of a position, which makes 4,747 ones instead of 47.
    """
    characters = string.printable
    turned = dict(zip(range(1, 101), characters, strict=True))
    right = {character: number for number, character in turned.items()}
    ones = []
    for index in (turned, right):
        printed = np.zeros((2, 50, 101))
        for row, text in enumerate(BOOK):
            for place, character in enumerate(text):
                printed[row, place, index.get(character)] = 1.0
        ones.append(int(printed.sum()))
    assert ones == [4747, 47]
    encoder, raw = fitted(
        num_words=101,
        encoding="one_hot",
        maxlen=50,
        padding="post",
        truncating="post",
        splitting=Splitting(lower=False, level="character"),
    )
    batch = np.array(encoder.batch(encoder.apply(raw), np.arange(2)))
    assert batch.shape == (2, 50, 101)
    assert int(batch.sum()) == 47
    assert set(encoder.words) == set("".join(BOOK))
    assert encoder.decode(batch[0].argmax(axis=1)) == BOOK[0]
    assert encoder.describe(raw, 1) == BOOK[1]


def test_hashes_are_those_of_keras_and_the_same_in_every_process():
    encoder, raw = fitted(encoding="sequence", maxlen=6, hashing=True)
    theirs = [tf.keras.preprocessing.text.hashing_trick(text, 1000, hash_function="md5") for text in BOOK]
    expected = tf.keras.preprocessing.sequence.pad_sequences(theirs, maxlen=6)
    np.testing.assert_array_equal(encoder.batch(encoder.apply(raw), np.arange(2)), expected)
    assert expected[0].tolist() == [132, 759, 622, 379, 132, 962]
    assert encoder.words == []
    one_hot, raw = fitted(encoding="one_hot", maxlen=10, hashing=True)  # DLwP listing 6-4
    batch = one_hot.batch(one_hot.apply(raw), np.arange(2))
    assert (batch.shape, float(np.sum(batch))) == ((2, 10, 1000), 11)
    assert one_hot.decode([3, 0]) == "3 0"


@pytest.mark.parametrize(("ngrams", "count"), [(1, 6), (2, 11), (3, 15)])
def test_n_grams_are_the_book_s(ngrams, count):
    """DLwP 6.1: the set of 2-grams of this sentence has 11 members, that of 3-grams 15; case is kept."""
    text = BOOK[0]
    encoder, raw = fitted([text], ngrams=ngrams, encoding="count", splitting=Splitting(lower=False))
    words = ["The", "cat", "sat", "on", "the", "mat"]
    expected = {" ".join(words[k : k + n]) for n in range(1, ngrams + 1) for k in range(6 - n + 1)}
    assert set(encoder.words) == expected
    assert len(expected) == count
    assert np.array(encoder.batch(encoder.apply(raw), np.array([0]))).sum() == count


def test_n_grams_are_learned_in_training_and_found_in_new_texts():
    texts = ["a b a b", "b a", "", "c", "b a b"]
    encoder, raw = fitted(texts, rows=np.arange(4), ngrams=2, num_words=6, encoding="count")
    assert encoder.words == ["a", "b", "a b", "b a", "c"]
    batch = encoder.batch(encoder.apply(raw), np.arange(5))
    assert np.array(batch)[:, 1:].tolist() == [
        [2, 2, 2, 1, 0],
        [1, 1, 0, 1, 0],
        [0] * 5,
        [0, 0, 0, 0, 1],
        [1, 2, 1, 1, 0],
    ]
    new = encoder.read_values(["x a b", "a x b", "b"])
    batch = encoder.batch(encoder.apply(new), np.arange(3))
    assert np.array(batch)[:, 1:].tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [0, 1, 0, 0, 0]]


def test_n_grams_of_characters_and_hashes():
    encoder, _ = fitted(["aba"], ngrams=2, splitting=Splitting(level="character"))
    assert encoder.words == ["a", "b", "ab", "ba"]
    bag, raw = fitted(["a b"], ngrams=2, hashing=True, encoding="count", num_words=50)
    places = np.flatnonzero(np.array(bag.batch(bag.apply(raw), np.array([0])))[0])
    assert set(places) == {hashed(name, 50) for name in ("a", "b", "a b")}


@pytest.mark.parametrize("level", ["word", "character"])
def test_texts_survive_the_cache(level):
    raw = indexed(["a\0b\nc", "", "d \u00e9"], Splitting(level=level, punctuation="keep"))
    back = words_of(in_memory(word_chunks(raw)))
    assert back["vocabulary"].tolist() == raw["vocabulary"].tolist()
    assert [row.tolist() for row in back["words"]] == [row.tolist() for row in raw["words"]]


def test_too_many_words_for_n_grams_are_refused():
    with pytest.raises(DataError, match="9 different words are too many for groups of 20"):
        fitted(ngrams=20)


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


@pytest.mark.parametrize("encoding", ["multi_hot", "count", "tf_idf", "one_hot", "sequence"])
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
