import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.errors import DataError

SPLIT = Split().model_dump()
BOOK = Split(kind="shuffled", training=200, validation=10_000).model_dump()  # DLwP 6.1.3


def write_reviews(folder, rows=6):
    """A small aclImdb; every word of a review is that of no other one."""
    for part in ("train", "test"):
        for label in ("neg", "pos", "unsup") if part == "train" else ("neg", "pos"):
            for k in range(rows):
                file = folder / "aclImdb" / part / label / f"{k}_1.txt"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"The film, {part}{label}{k}!")
    return folder


def prepare(folder, split=SPLIT, seed=1, **options):
    context = DataContext(folders=[folder], sample=folder is None) if folder else DataContext(sample=True)
    return prepare_data("imdb_raw", options, context=context, split=split, seed=seed)


@pytest.mark.parametrize("below", ["", "imdb", "imdb_raw"])
def test_the_folder_is_found_below_a_data_folder(no_files, below):
    write_reviews(no_files / below)
    data = prepare(no_files)
    assert data.fingerprint["rows"] == {"training": 10, "validation": 2, "test": 12}
    assert data.spec.task.labels == ("negative", "positive")
    assert data.targets["sentiment"][data.splits["test"]].tolist() == [0] * 6 + [1] * 6
    assert data.notes == ["aclImdb is not all of aclImdb: 12 training, 12 test instead of 25,000 of each"]
    assert not any("unsup" in word for word in data.encoder.words)


def test_without_files_every_place_is_named(no_files):
    with pytest.raises(DataError, match=r"aclImdb_v1\.tar\.gz is not there(.|\n)*ai\.stanford\.edu"):
        prepare(no_files)


def test_the_words_come_from_the_rows_that_train_or_from_all_of_the_training_part(no_files):
    write_reviews(no_files)
    split = Split(training=3, validation=4).model_dump()
    few, every = (prepare(no_files, split, vocabulary_from=source) for source in ("training", "all_training"))
    assert len(few.encoder.words) == 2 + 3
    assert len(every.encoder.words) == 2 + 12
    assert not any("test" in word for word in every.encoder.words)
    for data in (few, every):
        assert {name: len(rows) for name, rows in data.splits.items()} == {"training": 3, "validation": 4, "test": 12}
    assert every.notes[-2:] == [
        "the vocabulary is learned from the first 12 rows, those that validate included",
        "3 of 8 rows train (split.training); the others are not used",
    ]


def test_the_sample_has_the_shapes_of_the_book(no_files):
    data = prepare(None, BOOK, vocabulary_from="all_training")
    assert (data.spec.input.shape, data.spec.input.vocabulary_size) == ((100,), 10_000)
    assert len(data.splits["training"]) == 200


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_books_words_and_rows():
    """DLwP 6.1.3: a Tokenizer of 10,000 words on all 25,000 reviews, 100 words each, 200 and 10,000 rows."""
    data = prepare_data("imdb_raw", {"vocabulary_from": "all_training"}, context=DataContext(), split=BOOK, seed=1)
    counts = {name: len(rows) for name, rows in data.splits.items()}
    assert counts == {"training": 200, "validation": 10_000, "test": 25_000}
    assert data.encoder.words[:8] == ["the", "and", "a", "of", "to", "is", "br", "in"]
    assert len(data.encoder.words) == 9999
    assert data.fingerprint["classes"]["sentiment"]["test"] == {"negative": 12_500, "positive": 12_500}
    other = prepare_data("imdb_raw", {"vocabulary_from": "all_training"}, context=DataContext(), split=BOOK, seed=2)
    assert len(np.intersect1d(data.splits["training"], other.splits["training"])) < 20
