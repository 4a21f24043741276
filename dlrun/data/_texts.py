"""The encoder of plain texts: a word-level tokenizer that learns its vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlrun.data._csv_files import Form, read_table
from dlrun.data._dataset import Arrays, encoder
from dlrun.data._memory import SOURCE, named_columns
from dlrun.data._text_files import STANDARD_INPUT, read_text
from dlrun.data._text_forms import BAGS, Encoding, Side
from dlrun.data._tokens import Splitting, Tokens, hashed, indexed, tokens_of
from dlrun.data._words import WordsEncoder, check_options, ragged
from dlrun.errors import DataError, did_you_mean, listing

Unknown = Literal["drop", "mark"]
VocabularyFrom = int | Literal["training", "all_training"]


@encoder("texts")
class TextsEncoder(WordsEncoder):
    """Texts as bags or padded sequences of the ids of the most frequent words (or characters, or n-grams).

    Ids are those of Keras' Tokenizer: 0 is padding, 1 the most frequent word, and so on below `num_words`; other words
    are dropped, or become id 1 with `unknown: mark`, which moves the others up by one. Raw rows are object arrays of
    places in the shared `vocabulary` (all words of the data, in order of appearance). `vocabulary_rows`: the words are
    learned from the first rows, so many, instead of the training rows. `hashing`: ids are hashes, and no word is
    learned. `ngrams`: groups of up to so many words count as words. `whole_files`: for `read`, a file is one text;
    `column` and `form` say where texts are in a CSV file.
    """

    def __init__(
        self,
        *,
        num_words: int,
        encoding: Encoding = "multi_hot",
        maxlen: int = 500,
        padding: Side = "pre",
        truncating: Side = "pre",
        reverse: bool = False,
        words: Sequence[str] = (),
        factors: Sequence[float] | None = None,
        splitting: Splitting = Splitting(),  # noqa: B008  it cannot change
        ngrams: int = 1,
        hashing: bool = False,
        unknown: Unknown = "drop",
        vocabulary_rows: int | None = None,
        whole_files: bool = False,
        column: str = "text",
        form: Form | None = None,
    ) -> None:
        super().__init__(
            num_words=num_words,
            encoding=encoding,
            maxlen=maxlen,
            padding=padding,
            truncating=truncating,
            reverse=reverse,
            words=words,
            factors=factors,
        )
        self.splitting = splitting
        self.ngrams = ngrams
        self.hashing = hashing
        self.unknown = unknown
        self.vocabulary_rows = vocabulary_rows
        self.whole_files = whole_files
        self.column = column
        self.form = form or Form()

    @property
    def index_from(self) -> int:
        """The id of the most frequent word."""
        return 2 if self.unknown == "mark" else 1

    def fit(self, raw: Arrays, rows: np.ndarray) -> None:
        """The most frequent words of the training rows; of equally frequent ones the first to appear there."""
        rows = rows if self.vocabulary_rows is None else np.arange(self.vocabulary_rows)
        tokens = tokens_of(raw["words"][rows], raw["vocabulary"], self.ngrams)
        if not self.hashing:
            self._learn_words(tokens)
        if self.encoding == "tf_idf":
            super().fit({"words": self._rows_of_ids(tokens)}, np.arange(len(rows)))

    def _learn_words(self, tokens: Tokens) -> None:
        places = np.concatenate([np.zeros(0, "int32"), *tokens.rows])
        if not len(places):
            raise DataError("the texts of the training part hold no words")
        counts = np.bincount(places, minlength=tokens.count)
        first = np.zeros(len(counts), "int64")
        first[places[::-1]] = np.arange(len(places))[::-1]  # the last one written is the first occurrence
        order = np.lexsort((first, -counts))[: self.num_words - self.index_from]
        self.words = tokens.names(order[counts[order] > 0], self.splitting.joint)
        self.__dict__.pop("_ids", None)

    def apply(self, raw: Arrays) -> Arrays:
        """Texts at rest, by their ids: bits, ids with their counts, or ids `(rows, maxlen)`."""
        return super().apply({"words": self._rows_of_ids(tokens_of(raw["words"], raw["vocabulary"], self.ngrams))})

    def _rows_of_ids(self, tokens: Tokens) -> np.ndarray:
        missing, joint = 1 if self.unknown == "mark" else 0, self.splitting.joint
        if self.hashing:
            names = tokens.names(np.arange(tokens.count), joint)
            table = np.array([hashed(name, self.num_words) for name in names] or [0], "int32")
        else:
            table = tokens.table(self._ids, missing, joint)
        rows = [table[row] for row in tokens.rows]
        return ragged(rows if missing else [row[row > 0] for row in rows])

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """A text per .txt file, or per line, as in training; standard input: per line; .csv: the column of texts."""
        texts: list[str] = []
        for source in sources:
            found = self._read_source(source)
            if not found:
                raise DataError(f"{source}: the file has no text")
            texts += found
        return indexed(texts, self.splitting)

    def read_values(self, values: Any) -> Arrays:
        """A list of texts, or a table with the column of texts."""
        columns = named_columns(values)
        if columns is not None:
            if self.column not in columns:
                raise _column_missing(SOURCE, self.column, columns)
            values = columns[self.column]
        texts = list(values)
        for place, text in enumerate(texts, 1):
            if not isinstance(text, str):
                raise DataError(f"{SOURCE}, row {place}: {text!r} is no text", expected="a list of texts")
        return indexed(texts, self.splitting)

    def describe(self, raw: Arrays, row: int) -> str:
        """The beginning of the text, as the tokenizer has cleaned it."""
        places = raw["words"][row]
        most = 12 if self.splitting.joint else 60
        return self.splitting.joint.join(raw["vocabulary"][places[:most]]) + (" ..." if len(places) > most else "")

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Ids as words; padding is left out, an unknown word is `?`, and hashes are shown as they are."""
        if self.hashing:
            return " ".join(map(str, ids))
        known, start = len(self.words), self.index_from
        return self.splitting.joint.join(
            self.words[i - start] if 0 <= i - start < known else "?" for i in map(int, ids) if i
        )

    def encode(self, text: str) -> np.ndarray:
        """The ids `(length,)` of a text."""
        raw = indexed([text], self.splitting)
        return np.asarray(self._rows_of_ids(tokens_of(raw["words"], raw["vocabulary"], self.ngrams))[0])

    def get_state(self) -> dict[str, Any]:
        """All options, and the words that were learned."""
        return super().get_state() | {
            "splitting": asdict(self.splitting),
            "ngrams": self.ngrams,
            "hashing": self.hashing,
            "unknown": self.unknown,
            "vocabulary_rows": self.vocabulary_rows,
            "whole_files": self.whole_files,
            "column": self.column,
            "form": vars(self.form) | {"missing": list(self.form.missing)},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TextsEncoder:
        """The encoder as it was when its state was taken."""
        form = Form(**state["form"] | {"missing": tuple(state["form"]["missing"])})
        return cls(**state | {"form": form, "splitting": Splitting(**state["splitting"])})

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: place + self.index_from for place, word in enumerate(self.words)}

    def _read_source(self, source: str | Path) -> list[str]:
        if Path(source).suffix.lower() in (".csv", ".tsv"):
            return self._read_column(source)
        text = read_text(source, self.form.encoding)
        if self.whole_files and str(source) != STANDARD_INPUT:
            return [text] if text.strip() else []
        return [line for line in text.split("\n") if line.strip()]

    def _read_column(self, source: str | Path) -> list[str]:
        table = read_table(source, self.form, [self.column])
        if len(table.columns) == 1:
            return next(iter(table.columns.values()))
        if self.column not in table.columns:
            raise _column_missing(str(source), self.column, table.columns)
        return table.columns[self.column]


def _column_missing(source: str, name: str, columns: Mapping[str, Any]) -> DataError:
    return DataError(
        f"{source}: the column {name!r} is missing", received=listing(columns), hint=did_you_mean(name, columns)
    )


def vocabulary_rows(wish: VocabularyFrom, rows: int, parts: Mapping[str, np.ndarray]) -> tuple[int | None, list[str]]:
    """From how many first rows the vocabulary is learned (None: from those that train), and a note on it.

    `parts` are those the data gives. Raises DataError when there are not so many rows outside of the test part, or no
    training part.
    """
    if wish == "training":
        return None, []
    if wish == "all_training" and "training" not in parts:
        raise DataError(
            "data.vocabulary_from: all_training needs data with a training part of its own",
            key=("data", "vocabulary_from"),
            hint="write training, or the number of first rows to learn from",
        )
    least = rows - len(parts.get("test", ()))
    count = len(parts["training"]) if wish == "all_training" else int(wish)
    if not 0 < count <= least:
        raise DataError(
            "data.vocabulary_from does not fit the data",
            key=("data", "vocabulary_from"),
            received=f"{count:,}",
            expected=f"1 to {least:,} rows, without those of the test part",
        )
    return count, [f"the vocabulary is learned from the first {count:,} rows, those that validate included"]


def check_tokens(num_words: int, maxlen: int, encoding: Encoding, ngrams: int) -> None:
    """Raises DataError when the options leave nothing of a text, or n-grams are wanted where words stay in order."""
    check_options(num_words, maxlen)
    if ngrams < 1 or (ngrams > 1 and encoding not in BAGS):
        raise DataError(
            "data.ngrams is too small" if ngrams < 1 else "data.ngrams are for bags, which lose the order of words",
            key=("data", "ngrams"),
            received=f"{ngrams} with encoding {encoding}",
            expected="at least 1" if ngrams < 1 else f"an encoding of {listing(BAGS)}",
        )
