"""What imdb and reuters share: word ids as Keras' loaders give them, the word index, a generated stand-in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlrun.data._sources import DataContext, Download
from dlrun.data._text_files import read_text
from dlrun.data._words import INDEX_FROM, START, UNKNOWN
from dlrun.errors import DataError
from dlrun.seeds import child_seed

COUNTS = (2000, 1000)  # rows of the generated training and test part
TELLING_SHARE = 0.1  # of the words of a generated text
RIGHT_SHARE = 0.8  # of the telling words


def limited(ids: Sequence[np.ndarray], order: np.ndarray, num_words: int) -> list[np.ndarray]:
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


def read_words(
    context: DataContext, dataset: str, download: Download, *, num_words: int, fetch: bool
) -> tuple[list[str], list[Path], list[str]]:
    """The words of the ids INDEX_FROM, INDEX_FROM + 1, ... below `num_words`, the file read, and notes.

    Without the file there are no words, and a note. `fetch` allows to download it. Raises DataError.
    """
    name = f"{dataset}_word_index.json"
    # Without network each run would wait for nothing, so the index is only fetched together with the texts.
    path = context.find_file(name, dataset)
    if path is None and fetch:
        with contextlib.suppress(DataError):
            path = context.locate_file(name, dataset, download)
    if path is None:
        return [], [], [f"{name} was not found beside {dataset}.npz, so predict takes word ids only"]
    try:
        index = json.loads(read_text(path))
        words = [""] * (num_words - INDEX_FROM)
        for word, place in index.items():
            if 0 <= place < len(words):
                words[place] = word
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: this is not the word index of {dataset}: {error}") from error
    return words, [path], []


def generated_texts(
    context: DataContext, num_words: int, classes: int
) -> tuple[list[list[np.ndarray]], list[np.ndarray], list[str]]:
    """Rows and labels of 2,000 + 1,000 texts of made-up words, some of which tell the class, and the words."""
    random = np.random.default_rng(child_seed(context.seed, "data"))
    vocabulary = min(num_words, 2000) - INDEX_FROM
    telling = max(1, min(40, vocabulary // (2 * classes)))  # words of class 0 come first, then those of class 1, ...
    rows: list[list[np.ndarray]] = []
    labels = []
    for count in COUNTS:
        labels.append(random.permutation(np.arange(count) % classes))
        part = []
        for label in labels[-1]:
            words = random.integers(0, vocabulary, int(random.integers(20, 200)))
            chosen = random.random(len(words)) < TELLING_SHARE
            right = random.random(len(words)) < RIGHT_SHARE
            topics = np.where(right, label, (label + random.integers(1, classes, len(words))) % classes)
            told = (topics * telling + random.integers(0, telling, len(words))) % vocabulary
            ids = np.where(chosen, told, words) + INDEX_FROM
            part.append(np.concatenate([[START], ids]).astype("uint16"))
        rows.append(part)
    return rows, labels, [f"word{place}" for place in range(vocabulary)]
