"""The user's own texts: a folder of .txt files for each class."""

from __future__ import annotations

from typing import Literal

import dlrun
from dlrun.data._csv_files import Form
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.data._text_classes import read_classes
from dlrun.data._texts import TextsEncoder, check_tokens, vocabulary_rows
from dlrun.data._tokens import Splitting
from dlrun.errors import DataError
from dlrun.spec import Count, DataPath, Task


@dlrun.dataset("text_folder")
def text_folder(
    context: DataContext,
    *,
    path: DataPath,
    classes: list[str] = [],  # noqa: B006  read as a literal, not changed
    num_words: Count = 10000,
    encoding: Literal["multi_hot", "count", "tf_idf", "one_hot", "sequence"] = "multi_hot",
    maxlen: Count = 500,
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
    file_encoding: str = "utf-8",
) -> Dataset:
    """Texts in a folder per class, or in such folders below train, validation and test (aclImdb). Reads .txt files.

    `path`: the folder, or a .zip, .tar.gz, .tar.xz of it, which is read in place.
    `classes`: the folders to use, in the order of their labels; empty: all, sorted; of two the second is positive.
    `num_words`: the vocabulary, with the id 0 of padding: the most frequent words of the training rows. `lower` makes
    texts lower case first; `punctuation` divides words as white space does (DLwP 6.1), or is kept as a part of them.
    `level`: words, or every single character. `unknown`: other words are dropped, as in the book, or marked with id 1.
    `vocabulary_from`: where the words are learned: `training`, the rows that train; `all_training`, the whole training
    part of the data, whatever the split takes of it; or the first rows, by their number. `hashing`: ids are hashes of
    the words below `num_words`, nothing is learned, and words may share an id.
    `encoding`: a bag `(num_words,)`: `multi_hot` (zeros and ones), `count`, or `tf_idf` (as Keras' Tokenizer), of
    words, or with `ngrams` of all groups of up to so many words; or words in order: `sequence` (`maxlen` ids) or
    `one_hot` `(maxlen, num_words)`, with `padding` and `truncating` at the start (`pre`) or the end (`post`);
    `reverse` turns each text round before that.
    `file_encoding`: as Python names it. `predict` takes a text per file, or per line from standard input.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own texts", hint="run it without --sample")
    check_tokens(num_words, maxlen, encoding, ngrams)
    splitting = Splitting(lower, level, punctuation)
    place = context.locate(path)
    texts = read_classes(place, classes, splitting, file_encoding)
    learned, notes = vocabulary_rows(vocabulary_from, len(texts.codes), texts.parts)
    kind: Literal["binary", "multiclass"] = "binary" if len(texts.labels) == 2 else "multiclass"
    return Dataset(
        name="text_folder",
        raw={"words": texts.raw["words"]},
        shared={"vocabulary": texts.raw["vocabulary"]},
        targets={"label": texts.codes.astype("float32" if kind == "binary" else "int32")},
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
            form=Form(encoding=file_encoding),
        ),
        tasks={"label": Task(kind, labels=tuple(texts.labels))},
        parts=texts.parts,
        files=[place],
        notes=[*texts.notes, *notes],
    )
