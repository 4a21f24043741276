"""Reuters newswires as Keras publishes them: texts as word ids, one topic each."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import keras
import numpy as np

import dlrun
from dlrun.data._dataset import Dataset
from dlrun.data._npz import read_array, read_ragged
from dlrun.data._published import check_published, head_and_tail, shuffled_as_published
from dlrun.data._sources import DataContext, Download
from dlrun.data._word_files import COUNTS, generated_texts, limited, read_words
from dlrun.data._words import WordsEncoder, check_options, ragged
from dlrun.errors import DataError
from dlrun.spec import Count, Task

# Addresses and hashes as in keras/src/datasets/reuters.py.
FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
NEWSWIRES = Download(f"{FOLDER}/reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916")
WORD_INDEX = Download(f"{FOLDER}/reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921")
ROWS = 11_228
FIRST_LABELS = (3, 4, 3, 4, 4, 4, 4, 3, 3, 16)  # of the training part after Keras' shuffle
TOPICS = tuple(keras.datasets.reuters.get_label_names())


@dlrun.dataset("reuters")
def reuters(
    context: DataContext,
    *,
    num_words: Count = 10000,
    encoding: Literal["multi_hot", "count", "tf_idf", "one_hot", "sequence"] = "multi_hot",
    maxlen: Count = 200,
    padding: Literal["pre", "post"] = "pre",
    truncating: Literal["pre", "post"] = "pre",
    reverse: bool = False,
    one_hot: bool = False,
) -> Dataset:
    """11,228 newswires as word ids, 46 topics; 2,246 of them are the test part (DLwP 3.5). Reads reuters.npz.

    `num_words`: ids from this one on become the unknown word.
    `encoding`: a bag `(num_words,)`: `multi_hot` (zeros and ones), `count`, or `tf_idf` (as Keras' Tokenizer); or words
    in order: `sequence` `(maxlen,)` of ids, or `one_hot` `(maxlen, num_words)`.
    For words in order: `maxlen` ids each, with `padding` and `truncating` at the start (`pre`) or the end (`post`);
    `reverse` turns each text round before that.
    `one_hot`: labels as rows of zeros and a one, for categorical_crossentropy, instead of integers.
    With reuters_word_index.json beside reuters.npz, `predict` takes plain text.
    """
    check_options(num_words, maxlen)
    rows, labels, words, files, notes = _generated(context, num_words) if context.sample else _read(context, num_words)
    return Dataset(
        name="reuters",
        raw={"words": ragged(rows)},
        targets={"topic": np.eye(len(TOPICS), dtype="float32")[labels] if one_hot else labels.astype("int32")},
        encoder=WordsEncoder(
            num_words=num_words,
            encoding=encoding,
            maxlen=maxlen,
            padding=padding,
            truncating=truncating,
            reverse=reverse,
            words=words,
        ),
        tasks={"topic": Task("multiclass", labels=TOPICS, one_hot=one_hot)},
        parts=head_and_tail(len(rows), COUNTS[1] / sum(COUNTS) if context.sample else 0.2),
        files=files,
        generated=context.sample,
        notes=notes,
    )


Contents = tuple[list[np.ndarray], np.ndarray, list[str], list[Path], list[str]]


def _read(context: DataContext, num_words: int) -> Contents:
    """Rows and labels, training part first, the words in use, the files and notes."""
    path = context.find_file("reuters.npz", "reuters")
    downloaded = path is None
    path = path or context.locate_file("reuters.npz", "reuters", NEWSWIRES)
    ids, labels = read_ragged(path, "x"), read_array(path, "y")
    title = "Reuters file"
    check_published(path, title, "the number of newswires and labels", (len(ids), labels.shape), (ROWS, (ROWS,)))
    order = shuffled_as_published(ROWS)
    labels = labels[order]
    check_published(path, title, "the first training labels", tuple(labels[: len(FIRST_LABELS)].tolist()), FIRST_LABELS)
    check_published(path, title, "the topics", np.unique(labels).tolist(), list(range(len(TOPICS))))
    if any(len(row) and row.min() < 1 for row in ids):
        raise DataError(f"{path}: there are word ids below 1")
    words, index, notes = read_words(context, "reuters", WORD_INDEX, num_words=num_words, fetch=downloaded)
    return limited(ids, order, num_words), labels, words, [path, *index], notes


def _generated(context: DataContext, num_words: int) -> Contents:
    rows, labels, words = generated_texts(context, num_words, classes=len(TOPICS))
    note = "the newswires are a small generated stand-in (--sample), not Reuters"
    return [row for part in rows for row in part], np.concatenate(labels), words, [], [note]
