import json

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._published import shuffled_as_published
from dlrun.data._sources import DataContext
from dlrun.data.reuters import FIRST_LABELS, ROWS, TOPICS, reuters
from dlrun.errors import DataError


def write(folder, *, rows=ROWS, first=(1, 20, 30), labels=None):
    """A reuters.npz of short texts; text k ends in a word of its own."""
    texts = np.empty(rows, object)
    texts[:] = [[*first, 5 + k] for k in range(rows)]
    found = np.arange(rows) % 46
    if rows == ROWS:
        found[shuffled_as_published(rows)[: len(FIRST_LABELS)]] = FIRST_LABELS
    np.savez(folder / "reuters.npz", x=texts, y=found if labels is None else labels(found))
    return DataContext(folders=[folder])


def test_a_file_in_the_data_folder_is_read(no_files):
    (no_files / "reuters_word_index.json").write_text(json.dumps({"the": 1, "wheat": 20, "rare": 40_000}))
    dataset = reuters(write(no_files), num_words=100)
    assert {name: len(rows) for name, rows in dataset.parts.items()} == {"training": 8982, "test": 2246}
    assert tuple(dataset.targets["topic"][:10]) == FIRST_LABELS
    assert dataset.raw["words"][0][:4].tolist() == [1, 4, 23, 33]
    assert dataset.encoder.decode([1, 4, 23, 2]) == "the wheat ?"
    last = [row[-1] for row in dataset.raw["words"][:50]]
    assert last == [8 + k if 8 + k < 100 else 2 for k in shuffled_as_published(ROWS)[:50]]
    assert dataset.tasks["topic"].labels[:4] == ("cocoa", "grain", "veg-oil", "earn")


def test_labels_may_be_one_hot(no_files):
    dataset = reuters(write(no_files), one_hot=True)
    assert (dataset.targets["topic"].shape, dataset.targets["topic"].dtype) == ((ROWS, 46), "float32")
    assert tuple(dataset.targets["topic"][:10].argmax(axis=1)) == FIRST_LABELS
    assert dataset.tasks["topic"].one_hot


BROKEN = [
    ({"rows": 100}, r"the number of newswires and labels\n  received  \(100, \(100,\)\)"),
    ({"labels": lambda y: y[::-1]}, "the first training labels"),
    ({"labels": lambda y: np.where(y == 45, 44, y)}, "the topics"),
    ({"first": (0, 1)}, "there are word ids below 1"),
    ({"first": ("a",)}, "x does not hold rows of integers"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_a_file_with_other_content_is_refused(no_files, changes, message):
    context = write(no_files, **changes)
    with pytest.raises(DataError, match=message):
        reuters(context)


def test_without_file_and_network_the_error_says_what_to_do(no_files):
    with pytest.raises(DataError, match=rf"{no_files}/data/reuters/reuters\.npz"):
        reuters(DataContext(folders=[no_files / "data"]))


@pytest.mark.parametrize(("key", "value", "least"), [("num_words", 3, 4), ("maxlen", 0, 1)])
def test_options_that_leave_nothing_are_refused(key, value, least):
    with pytest.raises(DataError, match=rf"{key} is too small\n.*\n  expected  at least {least}$"):
        reuters(DataContext(sample=True), **{key: value})


@pytest.mark.parametrize("one_hot", [False, True])
def test_the_sample_can_be_learned(one_hot):
    context = DataContext(sample=True)
    options = {"num_words": 2000, "one_hot": one_hot}
    prepared = prepare_data("reuters", options, context=context, split=Split().model_dump(), seed=1)
    assert prepared.fingerprint["rows"] == {"training": 1600, "validation": 400, "test": 1000}
    assert (prepared.fingerprint["sample"], prepared.split_kind) == (True, "stratified")
    labels = prepared.targets["topic"].argmax(axis=1) if one_hot else prepared.targets["topic"]
    rows = np.array(prepared.encoder.batch(prepared.arrays, np.arange(3000)))
    training, test = prepared.splits["training"], prepared.splits["test"]
    means = np.stack([rows[training][labels[training] == topic].mean(axis=0) for topic in range(len(TOPICS))])
    guesses = (rows[test] @ (means - means.mean(axis=0)).T).argmax(axis=1)
    assert (guesses == labels[test]).mean() > 0.5


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_facts_of_the_book():
    dataset = reuters(DataContext())
    assert dataset.raw["words"][10][:8].tolist() == [1, 245, 273, 207, 156, 53, 74, 160]
    assert dataset.targets["topic"][10] == 3
    assert dataset.encoder.decode(dataset.raw["words"][0]).startswith("? ? said as a result of its december")
    assert np.bincount(dataset.targets["topic"])[3] == 3972
