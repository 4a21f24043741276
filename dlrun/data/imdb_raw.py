"""The Large Movie Review Dataset as published: a text file per review."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._csv_files import Form
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext, Download
from dlrun.data._text_classes import TextClasses, read_classes
from dlrun.data._texts import TextsEncoder, check_tokens, vocabulary_rows
from dlrun.data._tokens import Splitting, indexed
from dlrun.data._word_files import generated_texts
from dlrun.data._words import INDEX_FROM
from dlrun.spec import Count, Task

ARCHIVE = Download(
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz", "7c2ac02c03563afcf9b574c7e56c153a"
)
FORMS = ("aclImdb", "aclImdb_v1.tar.gz", "aclImdb_labelled.tar.xz")  # the last one without the reviews in train/unsup
FOLDERS = ["neg", "pos"]
ROWS_PER_PART = 25_000


@dlrun.dataset("imdb_raw")
def imdb_raw(
    context: DataContext,
    *,
    num_words: Count = 10000,
    encoding: Literal["multi_hot", "count", "tf_idf", "one_hot", "sequence"] = "sequence",
    maxlen: Count = 100,
    padding: Literal["pre", "post"] = "pre",
    truncating: Literal["pre", "post"] = "pre",
    reverse: bool = False,
    unknown: Literal["drop", "mark"] = "drop",
    lower: bool = True,
    level: Literal["word", "character"] = "word",
    punctuation: Literal["divide", "keep"] = "divide",
    ngrams: int = 1,
    hashing: bool = False,
    vocabulary_from: int | Literal["training", "all_training"] = "training",
) -> Dataset:
    """50,000 movie reviews as text, half positive; 25,000 of them are the test part (DLwP 6.1.3). Reads aclImdb.

    The folder `aclImdb`, or the archive of it, which is read in place; reviews without label (train/unsup) are left
    out. The options are those of `text_folder`: `num_words`, `lower`, `level`, `punctuation`, `unknown`, `hashing`,
    `vocabulary_from` (the book's tokenizer learns its words from `all_training`, also when 200 reviews train),
    `encoding`, `ngrams`, `maxlen`, `padding`, `truncating`, `reverse`. `predict` takes a text per file, or
    per line from standard input.
    """
    check_tokens(num_words, maxlen, encoding, ngrams)
    splitting = Splitting(lower, level, punctuation)
    texts, files = _generated(context, num_words, splitting) if context.sample else _read(context, splitting)
    learned, notes = vocabulary_rows(vocabulary_from, len(texts.codes), texts.parts)
    return Dataset(
        name="imdb_raw",
        raw={"words": texts.raw["words"]},
        shared={"vocabulary": texts.raw["vocabulary"]},
        targets={"sentiment": texts.codes.astype("float32")},
        encoder=TextsEncoder(
            num_words=num_words,
            encoding=encoding,
            maxlen=maxlen,
            padding=padding,
            truncating=truncating,
            reverse=reverse,
            splitting=splitting,
            ngrams=ngrams,
            hashing=hashing,
            unknown=unknown,
            vocabulary_rows=learned,
            whole_files=True,
            form=Form(),
        ),
        tasks={"sentiment": Task("binary", labels=("negative", "positive"))},
        parts=texts.parts,
        files=files,
        generated=context.sample,
        notes=[*texts.notes, *notes],
    )


def _read(context: DataContext, splitting: Splitting) -> tuple[TextClasses, list[Path]]:
    places = (context.find_file(f"{folder}{name}", "imdb_raw") for folder in ("", "imdb/") for name in FORMS)
    place = next((found for found in places if found), None)
    place = place or context.locate_file(FORMS[1], "imdb_raw", ARCHIVE)
    texts = read_classes(place, FOLDERS, splitting, "utf-8")
    rows = {part: len(found) for part, found in texts.parts.items()}
    if rows != {"training": ROWS_PER_PART, "test": ROWS_PER_PART}:
        counts = ", ".join(f"{count:,} {part}" for part, count in rows.items())
        texts.notes.append(f"{place.name} is not all of aclImdb: {counts} instead of {ROWS_PER_PART:,} of each")
    return texts, [place]


def _generated(context: DataContext, num_words: int, splitting: Splitting) -> tuple[TextClasses, list[Path]]:
    """Texts of made-up words, some of which tell the class."""
    rows, labels, words = generated_texts(context, num_words, classes=2)
    raw = indexed((" ".join(words[i - INDEX_FROM] for i in row[1:]) for part in rows for row in part), splitting)
    ends = np.cumsum([0, *map(len, labels)])
    parts = {part: np.arange(ends[k], ends[k + 1]) for k, part in enumerate(("training", "test"))}
    note = "the reviews are a small generated stand-in (--sample), not IMDB"
    return TextClasses(raw, np.concatenate(labels), list(FOLDERS), parts, [note]), []
