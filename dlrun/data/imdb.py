"""The Large Movie Review Dataset as Keras publishes it: reviews as word ids."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._dataset import Dataset
from dlrun.data._npz import read_array, read_ragged
from dlrun.data._published import check_published
from dlrun.data._sources import DataContext, Download
from dlrun.data._word_files import generated_texts, limited, read_words
from dlrun.data._words import WordsEncoder, check_options, ragged
from dlrun.errors import DataError
from dlrun.spec import Count, Task

# Addresses and hashes as in keras/src/datasets/imdb.py.
FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
REVIEWS = Download(f"{FOLDER}/imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
WORD_INDEX = Download(f"{FOLDER}/imdb_word_index.json", "bfafd718b763782e994055a2d397834f")
ROWS_PER_PART = 25_000
SHUFFLE_SEED = 113  # of keras.datasets.imdb.load_data
FIRST_LABELS = (1, 0, 0, 1, 0, 0, 1, 0, 1, 0)  # of the training part after that shuffle


@dlrun.dataset("imdb")
def imdb(
    context: DataContext,
    *,
    num_words: Count = 10000,
    encoding: Literal["multi_hot", "count", "tf_idf", "one_hot", "sequence"] = "multi_hot",
    maxlen: Count = 500,
    padding: Literal["pre", "post"] = "pre",
    truncating: Literal["pre", "post"] = "pre",
    reverse: bool = False,
) -> Dataset:
    """50,000 movie reviews as word ids, half positive; 25,000 of them are the test part. Reads imdb.npz.

    `num_words`: ids from this one on become the unknown word.
    `encoding`: a bag `(num_words,)`: `multi_hot` (zeros and ones), `count`, or `tf_idf` (as Keras' Tokenizer); or words
    in order: `sequence` `(maxlen,)` of ids, or `one_hot` `(maxlen, num_words)`.
    For words in order: `maxlen` ids each (DLwP 6.2: 500), with `padding` and `truncating` at the start (`pre`) or the
    end (`post`); `reverse` turns each review round before that.
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
    random = np.random.RandomState(SHUFFLE_SEED)  # one for both parts, the file being ordered by label
    rows, labels = [], []
    for part in ("train", "test"):  # one after the other, so that only one part's Python lists exist at a time
        ids, found = read_ragged(path, f"x_{part}"), read_array(path, f"y_{part}")
        _check_part(path, part, ids, found)
        order = np.arange(len(ids))
        random.shuffle(order)
        rows.append(limited(ids, order, num_words))
        labels.append(found[order])
    first = tuple(labels[0][: len(FIRST_LABELS)].tolist())
    check_published(
        path, "IMDB file", "the reviews are in another order: the first training labels", first, FIRST_LABELS
    )
    words, index, notes = read_words(context, "imdb", WORD_INDEX, num_words=num_words, fetch=downloaded)
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


def _generated(context: DataContext, num_words: int) -> Contents:
    rows, labels, words = generated_texts(context, num_words, classes=2)
    return rows, labels, words, [], ["the reviews are a small generated stand-in (--sample), not IMDB"]
