"""The Large Movie Review Dataset as Keras publishes it: reviews as word ids."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._dataset import Dataset
from dlrun.data._npz import read_array, read_ragged
from dlrun.data._sources import DataContext, Download
from dlrun.data._words import INDEX_FROM, START, UNKNOWN, WordsEncoder, check_options, ragged
from dlrun.errors import DataError
from dlrun.seeds import child_seed
from dlrun.spec import Task

# Addresses and hashes as in keras/src/datasets/imdb.py.
FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
REVIEWS = Download(f"{FOLDER}/imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
WORD_INDEX = Download(f"{FOLDER}/imdb_word_index.json", "bfafd718b763782e994055a2d397834f")
ROWS_PER_PART = 25_000
SHUFFLE_SEED = 113  # of keras.datasets.imdb.load_data; the file itself is ordered by label
FIRST_LABELS = (1, 0, 0, 1, 0, 0, 1, 0, 1, 0)  # of the training part after that shuffle


@dlrun.dataset("imdb")
def imdb(
    context: DataContext,
    *,
    num_words: int = 10000,
    encoding: Literal["multi_hot", "sequence"] = "multi_hot",
    maxlen: int = 500,
    padding: Literal["pre", "post"] = "pre",
    truncating: Literal["pre", "post"] = "pre",
    reverse: bool = False,
) -> Dataset:
    """50,000 movie reviews as word ids, half positive; 25,000 of them are the test part. Reads imdb.npz.

    `num_words`: ids from this one on become the unknown word.
    `encoding`: `multi_hot` rows `(num_words,)` of zeros and ones, or `sequence` rows `(maxlen,)` of ids.
    For sequences: `maxlen` ids each (DLwP 6.2: 500), with `padding` and `truncating` at the start (`pre`) or the end
    (`post`); `reverse` turns each review round before that.
    With imdb_word_index.json beside imdb.npz, `predict` takes plain text.
    """
    check_options(num_words, maxlen)
    rows, labels, words, files, notes = _generated(context, num_words) if context.sample else _read(context, num_words)
    counts = [len(part) for part in labels]
    return Dataset(
        name="imdb",
        raw={"words": ragged([row for part in rows for row in part])},
        targets={"sentiment": np.concatenate(labels).astype("float32")},
        encoder=WordsEncoder(
            num_words=num_words,
            encoding=encoding,
            maxlen=maxlen,
            padding=padding,
            truncating=truncating,
            reverse=reverse,
            words=words,
        ),
        tasks={"sentiment": Task("binary", labels=("negative", "positive"))},
        parts={"training": np.arange(counts[0]), "test": np.arange(counts[0], sum(counts))},
        files=files,
        generated=context.sample,
        notes=notes,
    )


Contents = tuple[list[list[np.ndarray]], list[np.ndarray], list[str], list[Path], list[str]]


def _read(context: DataContext, num_words: int) -> Contents:
    """Rows and labels of both parts, the words in use, the files and notes."""
    path = context.find_file("imdb.npz", "imdb")
    downloaded = path is None
    path = path or context.locate_file("imdb.npz", "imdb", REVIEWS)
    random = np.random.RandomState(SHUFFLE_SEED)
    rows, labels = [], []
    for part in ("train", "test"):  # one after the other, so that only one part's Python lists exist at a time
        ids, found = read_ragged(path, f"x_{part}"), read_array(path, f"y_{part}")
        _check_part(path, part, ids, found)
        order = np.arange(len(ids))
        random.shuffle(order)
        rows.append(_limited(ids, order, num_words))
        labels.append(found[order])
    if tuple(labels[0][: len(FIRST_LABELS)].tolist()) != FIRST_LABELS:
        raise DataError(
            f"{path}: this is not the published IMDB file: the reviews are in another order",
            received=f"first training labels {labels[0][: len(FIRST_LABELS)].tolist()}",
            expected=f"{list(FIRST_LABELS)}",
            hint="remove the file, and it is downloaded",
        )
    words, index, notes = _words(context, num_words, downloaded)
    return rows, labels, words, [path, *index], notes


def _check_part(path: Path, part: str, ids: list[np.ndarray], labels: np.ndarray) -> None:
    if len(ids) != ROWS_PER_PART or labels.shape != (ROWS_PER_PART,):
        raise DataError(
            f"{path}: this is not the published IMDB file: the {part} part has another number of rows",
            received=f"{len(ids):,} reviews, labels of shape {labels.shape}",
            expected=f"{ROWS_PER_PART:,} of each",
        )
    positive = int((labels == 1).sum())
    if positive != ROWS_PER_PART // 2 or int((labels == 0).sum()) != ROWS_PER_PART // 2:
        raise DataError(
            f"{path}: this is not the published IMDB file: the labels of the {part} part are not half 0, half 1",
            received=f"{positive:,} positive reviews",
        )
    if any(len(row) and row.min() < 1 for row in ids):
        raise DataError(f"{path}: the {part} part holds word ids below 1")


def _limited(ids: list[np.ndarray], order: np.ndarray, num_words: int) -> list[np.ndarray]:
    """The rows in `order`, as keras.datasets.imdb.load_data gives them: start mark, ids shifted, rare words unknown."""
    dtype = "uint16" if num_words <= 2**16 else "int32"
    rows = []
    for place in order:
        row = np.empty(len(ids[place]) + 1, dtype)
        shifted = ids[place] + INDEX_FROM
        row[0] = START
        row[1:] = np.where(shifted < num_words, shifted, UNKNOWN)
        rows.append(row)
    return rows


def _words(context: DataContext, num_words: int, download: bool) -> tuple[list[str], list[Path], list[str]]:
    """The words of the ids INDEX_FROM, INDEX_FROM + 1, ... below `num_words`; none, with a note, without the file."""
    name = "imdb_word_index.json"
    # Without network each run would wait for nothing, so the index is only fetched together with the reviews.
    path = context.find_file(name, "imdb")
    if path is None and download:
        with contextlib.suppress(DataError):
            path = context.locate_file(name, "imdb", WORD_INDEX)
    if path is None:
        return [], [], [f"{name} was not found beside imdb.npz, so predict takes word ids only"]
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        words = [""] * (num_words - INDEX_FROM)
        for word, place in index.items():
            if 0 <= place < len(words):
                words[place] = word
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: this is not the IMDB word index: {error}") from error
    return words, [path], []


def _generated(context: DataContext, num_words: int) -> Contents:
    """2,000 + 1,000 reviews of made-up words, some of which tell the label more often than not."""
    random = np.random.default_rng(child_seed(context.seed, "data"))
    vocabulary = min(num_words, 2000) - INDEX_FROM
    telling = max(1, min(40, vocabulary // 4))  # words 0 ... telling - 1 praise, the next ones blame
    rows: list[list[np.ndarray]] = []
    labels = []
    for count in (2000, 1000):
        labels.append(random.permutation(np.arange(count) % 2))
        part = []
        for label in labels[-1]:
            length = int(random.integers(20, 200))
            words = random.integers(0, vocabulary, length)
            opinions = random.random(length) < 0.1
            praises = (random.random(length) < 0.8) == label
            words[opinions] = random.integers(0, telling, opinions.sum()) + np.where(praises[opinions], 0, telling)
            ids = np.minimum(words, vocabulary - 1) + INDEX_FROM
            part.append(np.concatenate([[START], ids]).astype("uint16"))
        rows.append(part)
    names = [f"word{place}" for place in range(vocabulary)]
    return rows, labels, names, [], ["the reviews are a small generated stand-in (--sample), not IMDB"]
