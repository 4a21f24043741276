import json
import subprocess
import sys

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data import _sources
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.data.imdb import FIRST_LABELS, imdb
from dlrun.errors import DataError

SPLIT = Split().model_dump()


@pytest.fixture
def places(monkeypatch, tmp_path):
    """An empty data folder, and no network."""
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(_sources, "unreachable", lambda url: "no connection")
    return tmp_path


def write(folder, *, rows=25_000, labels=None, first=(1, 20, 30)):
    """An imdb.npz of short reviews, ordered by label as the published one."""
    reviews = np.empty(rows, object)
    reviews[:] = [[*first, 5 + k % 90_000] for k in range(rows)]
    labels = np.repeat([1, 0], rows // 2) if labels is None else labels
    np.savez(folder / "imdb.npz", x_train=reviews, y_train=labels, x_test=reviews, y_test=labels)
    return DataContext(folders=[folder])


def test_a_file_in_the_data_folder_is_read(places):
    (places / "imdb_word_index.json").write_text(json.dumps({"the": 1, "film": 20, "rare": 40_000}))
    dataset = imdb(write(places), num_words=100)
    assert dataset.parts["test"].tolist() == list(range(25_000, 50_000))
    assert tuple(dataset.targets["sentiment"][:10]) == FIRST_LABELS
    assert dataset.raw["words"][0][:4].tolist() == [1, 4, 23, 33]
    assert dataset.encoder.decode([1, 4, 23, 2]) == "the film ?"
    assert [path.name for path in dataset.files] == ["imdb.npz", "imdb_word_index.json"]
    order = np.arange(25_000)
    np.random.RandomState(113).shuffle(order)
    last = [row[-1] for row in dataset.raw["words"][:50]]
    assert last == [5 + k + 3 if 5 + k + 3 < 100 else 2 for k in order[:50]]


def test_without_the_word_index_a_note_says_what_is_missing(places):
    dataset = imdb(write(places))
    assert dataset.notes == ["imdb_word_index.json was not found beside imdb.npz, so predict takes word ids only"]


def test_without_file_and_network_the_error_says_what_to_do(places):
    with pytest.raises(DataError) as caught:
        imdb(DataContext(folders=[places / "data"]))
    text = str(caught.value)
    assert "the data file imdb.npz is not there" in text
    assert f"{places}/data/imdb/imdb.npz" in text
    assert "tf-keras-datasets/imdb.npz (no connection)" in text
    assert "--sample" in text


BROKEN = [
    ({"rows": 100}, "the train part has another number of rows\n  received  100 reviews"),
    ({"labels": np.ones(25_000)}, "the labels of the train part are not half 0, half 1\n  received  25,000 positive"),
    ({"labels": np.repeat([0, 1], 12_500)}, "the reviews are in another order"),
    ({"first": (0, 1)}, "the train part holds word ids below 1"),
    ({"first": ("a",)}, "x_train does not hold rows of integers"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_a_file_with_other_content_is_refused(places, changes, message):
    context = write(places, **changes)
    with pytest.raises(DataError, match=message):
        imdb(context)


def test_a_broken_word_index_is_named(places):
    (places / "imdb_word_index.json").write_text("[")
    with pytest.raises(DataError, match=r"imdb_word_index\.json: this is not the word index of imdb"):
        imdb(write(places))


@pytest.mark.parametrize(("key", "value", "least"), [("num_words", 3, 4), ("maxlen", 0, 1)])
def test_options_that_leave_nothing_are_refused(key, value, least):
    with pytest.raises(DataError, match=rf"{key} is too small\n.*\n  expected  at least {least}$") as caught:
        imdb(DataContext(sample=True), **{key: value})
    assert caught.value.problems[0].key == ("data", key)


def sample(seed=1, **options):
    return prepare_data("imdb", options, context=DataContext(seed=seed, sample=True), split=SPLIT, seed=seed)


def test_the_sample_is_marked_and_follows_from_the_seed():
    first, again, other = sample(1), sample(1), sample(2)
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint["content"] != other.fingerprint["content"]
    assert first.fingerprint["sample"]
    assert first.fingerprint["rows"] == {"training": 1600, "validation": 400, "test": 1000}
    assert "generated stand-in" in first.notes[0]


@pytest.mark.parametrize("encoding", ["multi_hot", "sequence"])
def test_the_sample_can_be_learned(encoding):
    prepared = sample(encoding=encoding, num_words=200, maxlen=200)
    rows = prepared.encoder.batch(prepared.arrays, np.arange(3000))
    rows = np.array(
        rows if encoding == "multi_hot" else [np.bincount(row, minlength=200)[1:] for row in np.array(rows)]
    )
    training, test = prepared.splits["training"], prepared.splits["test"]
    labels = prepared.targets["sentiment"]
    positive, negative = (rows[training][labels[training] == label].mean(axis=0) for label in (1, 0))
    guesses = rows[test] @ (positive - negative) > (positive + negative) @ (positive - negative) / 2
    assert (guesses == labels[test]).mean() > 0.75


def test_a_validation_part_made_for_the_whole_data_fits_the_sample():
    split = {"kind": "head", "validation": 10_000}
    prepared = prepare_data("imdb", {}, context=DataContext(sample=True), split=Split(**split).model_dump(), seed=1)
    assert prepared.fingerprint["rows"] == {"training": 1600, "validation": 400, "test": 1000}
    assert "split.validation: 10,000 rows are more than the generated data spares" in prepared.notes[1]


@pytest.fixture(scope="module")
def published():
    return prepare_data(
        "imdb",
        {"encoding": "sequence", "maxlen": 500},
        context=DataContext(),
        split=Split(kind="head", validation=10_000).model_dump(),
        seed=1,
    )


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_facts_of_the_book():
    dataset = imdb(DataContext())
    first = dataset.raw["words"][0]
    assert first[:4].tolist() == [1, 14, 22, 16]
    assert first[-2:].tolist() == [178, 32]
    assert dataset.targets["sentiment"][0] == 1
    assert max(row.max() for row in dataset.raw["words"]) == 9999
    assert dataset.encoder.decode(first).startswith("this film was just brilliant casting")
    assert np.bincount(dataset.targets["sentiment"].astype(int)).tolist() == [25_000, 25_000]


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_published_reviews_are_split_as_in_the_book(published):
    assert published.fingerprint["rows"] == {"training": 15_000, "validation": 10_000, "test": 25_000}
    assert published.splits["validation"][0] == 0
    assert published.arrays["words"].dtype == "uint16"


# Of this process alone: ru_maxrss would begin with the size of the process that started it.
MEASURE = """
from pathlib import Path
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line for line in lines if line.startswith("VmHWM")).split()[1]
import keras
from dlrun.config.schema import Split
before = peak()
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
prepare_data("imdb", {}, context=DataContext(), split=Split(kind="head", validation=10000).model_dump(), seed=1)
print(before, peak())
"""


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_reading_the_reviews_stays_frugal():
    answer = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True).stdout
    before, after = map(int, answer.split())
    assert after - before < 400 * 1024
    assert after < 1000 * 1024
