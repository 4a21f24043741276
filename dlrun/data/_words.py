"""The encoder of texts that are rows of word ids."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from dlrun.data._dataset import Arrays, Encoder, encoder
from dlrun.data._text_files import read_text
from dlrun.data._text_forms import (
    Encoding,
    Side,
    counted,
    counted_batch,
    inverse_frequencies,
    one_hot_batch,
    packed,
    padded,
    unpacked_batch,
)
from dlrun.errors import DataError
from dlrun.spec import InputSpec

START, UNKNOWN, INDEX_FROM = 1, 2, 3  # as keras.datasets.imdb.load_data; 0 is padding
# Keras' filter of old, which made the published word indices; only ASCII letters become lower case.
_CLEAN = {ord(character): " " for character in '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'}
_CLEAN.update({ord("A") + i: chr(ord("a") + i) for i in range(26)})


@encoder("words")
class WordsEncoder(Encoder):
    """Word ids as bags (packed multi-hot rows of one bit per word, counts) or as padded sequences.

    Raw rows are object arrays of id arrays `(length,)`, ids below `num_words`. `words` are the words of the ids from
    `INDEX_FROM` on; with them `predict` takes plain text. `factors` `(num_words,)` are learned for `tf_idf`.
    """

    texts = True

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
    ) -> None:
        self.num_words = num_words
        self.encoding = encoding
        self.maxlen = maxlen
        self.padding = padding
        self.truncating = truncating
        self.reverse = reverse
        self.words = list(words)
        self.factors = None if factors is None else np.array(factors, "float32")

    def inputs(self) -> dict[str, InputSpec]:
        """`words`: `(maxlen,)` ids, `(maxlen, num_words)` zeros and ones, or `(num_words,)` numbers of a bag."""
        if self.encoding == "sequence":
            return {"words": InputSpec((self.maxlen,), "int32", vocabulary_size=self.num_words)}
        return {"words": InputSpec((self.maxlen, self.num_words) if self.encoding == "one_hot" else (self.num_words,))}

    def fit(self, raw: Arrays, rows: np.ndarray) -> None:
        """For `tf_idf`: in how many of the given texts each word is."""
        if self.encoding == "tf_idf":
            self.factors = inverse_frequencies(raw["words"][rows], self.num_words)

    def apply(self, raw: Arrays) -> Arrays:
        """Bits `(rows, ceil(num_words / 8))` uint8, ids with their counts, or ids `(rows, maxlen)`."""
        rows = raw["words"]
        if self.encoding == "multi_hot":
            return {"words": packed(rows, self.num_words)}
        if self.encoding in ("count", "tf_idf"):
            return counted(rows, self.num_words)
        ids = padded(
            rows,
            self.num_words,
            self.maxlen,
            padding=self.padding,
            truncating=self.truncating,
            reverse=self.reverse,
        )
        return {"words": ids}

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """`(batch, num_words)` float32, `(batch, maxlen)` int32 ids, or `(batch, maxlen, num_words)` float32."""
        if self.encoding in ("count", "tf_idf"):
            return counted_batch(arrays, indices, self.num_words, self.factors)
        values = ops.take(arrays["words"], indices, axis=0)
        if self.encoding == "multi_hot":
            return unpacked_batch(values, self.num_words)
        ids = ops.cast(values, "int32")
        return ids if self.encoding == "sequence" else one_hot_batch(ids, self.num_words)

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """One text per line (.txt and others, `-` standard input), or one row of ids per line (.csv)."""
        rows: list[np.ndarray] = []
        for source in sources:
            found = self._read_ids(source) if Path(source).suffix.lower() == ".csv" else self._read_texts(source)
            if not found:
                raise DataError(f"{source}: the file has no rows")
            rows += found
        return {"words": ragged(rows)}

    def read_values(self, values: Any) -> Arrays:
        """A list of texts, or of rows of word ids."""
        rows = list(values)
        if not all(isinstance(row, str) for row in rows):
            return {"words": ragged([self._checked_ids(row, f"row {place}") for place, row in enumerate(rows, 1)])}
        self._check_words()
        return {"words": ragged([self.encode(text) for text in rows])}

    def describe(self, raw: Arrays, row: int) -> str:
        """The beginning of the text, or of the ids when the words are not known."""
        ids = raw["words"][row]
        return self.decode(ids[:12]) + (" ..." if len(ids) > 12 else "")

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Ids as words; padding and the start mark are left out, an unknown word is `?` (DLwP 3.4.1)."""
        if not self.words:
            return " ".join(map(str, ids))
        known = len(self.words)
        kept = (int(i) - INDEX_FROM for i in ids if i > START)
        return " ".join(self.words[place] if 0 <= place < known else "?" for place in kept)

    def encode(self, text: str) -> np.ndarray:
        """The ids `(length,)` of a text: a start mark, then its words; words without an id become UNKNOWN."""
        found = text.translate(_CLEAN).split()
        return np.array([START, *(self._ids.get(word, UNKNOWN) for word in found)], "int32")

    def word_ids(self) -> Mapping[str, int]:
        """The id of each word that has one; empty when the words behind the ids are not known."""
        return self._ids

    def get_state(self) -> dict[str, Any]:
        """All options, the words in use and what was learned."""
        learned = {} if self.factors is None else {"factors": self.factors.tolist()}
        return learned | {
            "num_words": self.num_words,
            "encoding": self.encoding,
            "maxlen": self.maxlen,
            "padding": self.padding,
            "truncating": self.truncating,
            "reverse": self.reverse,
            "words": self.words,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> WordsEncoder:
        """The encoder as it was when its state was taken."""
        return cls(**state)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: place + INDEX_FROM for place, word in enumerate(self.words) if word}

    def _check_words(self) -> None:
        if not self.words:
            raise DataError(
                "the words behind the ids are not known, so texts cannot be read",
                hint="put imdb_word_index.json beside imdb.npz and train again, or give a .csv file of word ids",
            )

    def _read_texts(self, source: str | Path) -> list[np.ndarray]:
        self._check_words()
        return [self.encode(line) for line in read_text(source).split("\n") if line.strip()]

    def _read_ids(self, source: str | Path) -> list[np.ndarray]:
        reader = csv.reader(io.StringIO(read_text(source)))
        rows = []
        for cells in reader:
            ids = self._checked_ids([cell for cell in cells if cell.strip()], f"{source}:{reader.line_num}")
            if len(ids):
                rows.append(ids)
        return rows

    def _checked_ids(self, row: Sequence[Any], place: str) -> np.ndarray:
        """Word ids `(length,)`, int32. Raises DataError naming `place`."""
        try:
            ids = np.array([int(cell) for cell in row], "int64")
        except (ValueError, TypeError) as error:
            raise DataError(f"{place}: a word id is no whole number: {error}") from error
        if len(ids) and (ids.min() < 0 or ids.max() >= self.num_words):
            wrong = ids.min() if ids.min() < 0 else ids.max()
            raise DataError(f"{place}: there is no word id {wrong}", expected=f"0 to {self.num_words - 1}")
        return ids.astype("int32")


def check_options(num_words: int, maxlen: int) -> None:
    """Raises DataError when `num_words` or `maxlen` leave nothing of a text."""
    for key, value, least in (("num_words", num_words, INDEX_FROM + 1), ("maxlen", maxlen, 1)):
        if value < least:
            raise DataError(
                f"data.{key} is too small", key=("data", key), received=str(value), expected=f"at least {least}"
            )


def ragged(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of differing length as an object array `(rows,)`."""
    found = np.empty(len(rows), object)
    found[:] = rows
    return found
