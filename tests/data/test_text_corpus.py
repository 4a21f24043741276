"""Running text: windows, codes, parts, and what is said of texts that do not fit."""

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._corpus import CorpusEncoder, joined, split
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.errors import DataError

TEXT = "The cat sat. The dog ran, and the cat slept.\n" * 6


def prepared(folder, text=TEXT, **options):
    (folder / "text.txt").write_text(text, encoding="utf-8")
    options = {"path": str(folder / "text.txt"), "maxlen": 10, "step": 3, **options}
    return prepare_data("text_corpus", options, context=DataContext(), split=Split().model_dump(), seed=1)


def test_a_window_is_followed_by_its_target(tmp_path):
    data = prepared(tmp_path, encoding="sequence")
    for row in (0, 1, 20):
        codes = np.asarray(data.encoder.batch({**data.arrays, **data.shared}, np.array([row])))[0]
        start = 3 * row
        assert data.encoder.decode(codes) == TEXT.lower()[start : start + 10]
        assert data.encoder.tokens[data.targets["next"][row]] == TEXT.lower()[start + 10]


def test_without_a_held_out_part_there_are_as_many_windows_as_in_the_book(tmp_path):
    data = prepared(tmp_path, validation=0.0)
    assert len(data.splits["training"]) == len(range(0, len(TEXT) - 10, 3))
    assert list(data.splits) == ["training"]


def test_no_window_reaches_over_the_border_of_a_part(tmp_path):
    data = prepared(tmp_path, validation=0.2, test=0.1)
    ends = {"training": 189, "validation": 243, "test": 270}
    begins = {"training": 0, "validation": 189, "test": 243}
    for name, rows in data.splits.items():
        starts = data.arrays["starts"][rows]
        assert starts.min() == begins[name]
        assert starts.max() + 10 < ends[name]  # the target lies inside, too


def test_one_hot_is_made_in_the_graph_of_codes_of_a_byte(tmp_path):
    data = prepared(tmp_path)
    assert data.shared["codes"].dtype == "uint8"
    batch = np.asarray(data.encoder.batch({**data.arrays, **data.shared}, np.array([0, 4])))
    assert batch.shape == (2, 10, len(data.encoder.tokens))
    assert (batch.sum(axis=2) == 1).all()


def test_words_too_rare_in_training_share_a_code(tmp_path):
    data = prepared(tmp_path, TEXT + "zebra " * 7, level="word", num_words=5, maxlen=3, encoding="sequence")
    assert data.encoder.tokens == ["<unknown>", "the", "cat", ".", ","]
    assert (data.shared["codes"][-7:] == 0).all()


def test_a_folder_is_read_by_the_names_of_its_files(tmp_path):
    for name, text in (("b.txt", "second"), ("a.txt", "first"), ("c.md", "not read")):
        (tmp_path / name).write_text(text)
    options = {"path": str(tmp_path), "maxlen": 2, "validation": 0.0}
    data = prepare_data("text_corpus", options, context=DataContext(), split=Split().model_dump(), seed=1)
    assert data.encoder.decode(data.shared["codes"]) == "first\nsecond"


def test_words_are_joined_as_they_are_written():
    text = "he said (twice): don't -- well-known things, what?"
    assert joined(split(text, "word", lower=True), "word") == text


def test_a_text_without_context_follows_on_the_end_of_a_sentence(tmp_path):
    letters = prepared(tmp_path).encoder
    assert letters.decode(letters.lead) == " cat sat. "
    words = prepared(tmp_path, level="word", maxlen=3, encoding="sequence").encoder
    assert words.decode(words.lead) == "cat sat."
    endless = prepared(tmp_path, "no end " * 40).encoder
    assert endless.decode(endless.lead) == "no end no "


def test_a_restored_encoder_is_the_same(tmp_path):
    first = prepared(tmp_path).encoder
    again = CorpusEncoder.from_state(first.get_state())
    assert again.get_state() == first.get_state()
    assert again.encode("the cat").tolist() == first.encode("the cat").tolist()


def test_the_end_of_a_given_text_is_what_is_gone_on_from(tmp_path):
    encoder = prepared(tmp_path).encoder
    raw = encoder.read_values(["the cat sat. the dog ran"])
    assert encoder.row_count(raw) == 1
    assert encoder.decode(raw["codes"]) == "he dog ran"
    with pytest.raises(DataError, match="shorter than a window"):
        encoder.read_values(["the cat"])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a short text", {"maxlen": 60}, "training part of the text is shorter than a window"),
        (TEXT, {"maxlen": 30}, "validation part of the text is shorter than a window"),
        (TEXT, {"validation": 1.5}, "data.validation is no share"),
        (TEXT, {"validation": 0.5, "test": 0.5}, "leave no text to train on"),
    ],
)
def test_a_text_that_does_not_fit_is_told(tmp_path, text, options, message):
    with pytest.raises(DataError, match=message):
        prepared(tmp_path, text, **options)


def test_characters_that_the_corpus_has_not_are_named(tmp_path):
    with pytest.raises(DataError, match="has no 'ß', '€'"):
        prepared(tmp_path).encoder.encode("the ßat €")


def test_a_folder_without_texts_is_told(tmp_path):
    with pytest.raises(DataError, match=r"there is no \.txt file"):
        prepare_data("text_corpus", {"path": str(tmp_path)}, context=DataContext(), split=Split().model_dump(), seed=1)


def test_overlapping_windows_are_not_divided_at_random(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    split_section = {**Split().model_dump(), "kind": "shuffled"}
    with pytest.raises(DataError, match="overlap"):
        prepare_data(
            "text_corpus",
            {"path": str(tmp_path / "text.txt"), "maxlen": 10},
            context=DataContext(),
            split=split_section,
            seed=1,
        )
