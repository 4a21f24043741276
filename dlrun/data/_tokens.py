"""Texts as rows of tokens: words or characters, n-grams of them, and their hashes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.data._cache import Chunks, Entry
from dlrun.data._dataset import Arrays
from dlrun.data._words import ragged
from dlrun.errors import DataError

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'  # of keras.preprocessing.text.Tokenizer, as in DLwP 6.1
_BLANKS = {ord(character): " " for character in FILTERS}
_BETWEEN = "\0"  # stands in no token


@dataclass(frozen=True)
class Splitting:
    """How a text becomes tokens: the words between white space and, if it `divide`s, punctuation, as Keras' Tokenizer
    finds them (DLwP 6.1.1); or all characters.
    """

    lower: bool = True
    level: Literal["word", "character"] = "word"
    punctuation: Literal["divide", "keep"] = "divide"

    def split(self, text: str) -> list[str]:
        """The tokens of a text, in order."""
        text = (text.lower() if self.lower else text).replace(_BETWEEN, " ")
        if self.level == "character":
            return list(text)
        return (text.translate(_BLANKS) if self.punctuation == "divide" else text).split()

    @property
    def joint(self) -> str:
        """What stands between two tokens in a text."""
        return " " if self.level == "word" else ""


def indexed(texts: Iterable[str], splitting: Splitting) -> Arrays:
    """Raw arrays of texts: `words`, places in `vocabulary` `(rows,)` ragged, and the tokens at these places."""
    places: defaultdict[str, int] = defaultdict()
    places.default_factory = places.__len__
    rows = [np.fromiter(map(places.__getitem__, splitting.split(text)), "int32") for text in texts]
    vocabulary = np.empty(len(places), object)
    vocabulary[:] = list(places)
    return {"words": ragged(rows), "vocabulary": vocabulary}


def word_chunks(raw: Arrays) -> Chunks:
    """The arrays of `indexed` in the form that the cache keeps."""
    yield "lengths", np.array([len(row) for row in raw["words"]], "int32")
    yield "places", np.concatenate([np.zeros(0, "int32"), *raw["words"]])
    yield "vocabulary", np.frombuffer(_BETWEEN.join(raw["vocabulary"]).encode("utf-8", "surrogatepass"), "uint8")
    return {}


def words_of(entry: Entry) -> Arrays:
    """What `word_chunks` was made of."""
    lengths, text = entry.arrays["lengths"], entry.arrays["vocabulary"].tobytes().decode("utf-8", "surrogatepass")
    vocabulary = np.array([*text.split(_BETWEEN)] if text else [], object)
    return {"words": ragged(np.split(entry.arrays["places"], np.cumsum(lengths)[:-1])), "vocabulary": vocabulary}


@dataclass(frozen=True)
class Tokens:
    """Rows `(rows,)` of places in a list of different tokens: the vocabulary, or n-grams of it.

    `codes` `(tokens,)`, ascending, are numbers in base `len(vocabulary) + 1` whose digits are the places plus one of an
    n-gram's words; None when the tokens are the vocabulary itself.
    """

    rows: np.ndarray
    vocabulary: np.ndarray
    codes: np.ndarray | None = None

    @property
    def count(self) -> int:
        return len(self.vocabulary) if self.codes is None else len(self.codes)

    def names(self, places: np.ndarray, joint: str) -> list[str]:
        """The tokens at some places, as text."""
        if self.codes is None:
            return [str(word) for word in self.vocabulary[places]]
        return [joint.join(self._words(int(code))) for code in self.codes[places]]

    def table(self, ids: Mapping[str, int], missing: int, joint: str) -> np.ndarray:
        """The id of each token `(tokens,)` int32, `missing` for those that have none; one at least."""
        if self.codes is None:
            return np.array([ids.get(word, missing) for word in self.vocabulary] or [missing], "int32")
        found = np.full(max(1, len(self.codes)), missing, "int32")
        places = {word: place + 1 for place, word in enumerate(self.vocabulary)}
        for name, number in ids.items():
            digits = [places.get(word, 0) for word in (name.split(joint) if joint else name)]
            code = 0
            for digit in digits:
                code = code * (len(places) + 1) + digit
            place = int(np.searchsorted(self.codes, code))
            if all(digits) and place < len(self.codes) and self.codes[place] == code:
                found[place] = number
        return found

    def _words(self, code: int) -> list[str]:
        words = []
        while code:
            code, digit = divmod(code, len(self.vocabulary) + 1)
            words.append(str(self.vocabulary[digit - 1]))
        return words[::-1]


def tokens_of(rows: np.ndarray, vocabulary: np.ndarray, ngrams: int = 1) -> Tokens:
    """The rows as they are, or all groups of up to `ngrams` words that follow each other, for bags (DLwP 6.1).

    Raises DataError when there are too many different words to number such groups.
    """
    if ngrams == 1:
        return Tokens(rows, vocabulary)
    base = len(vocabulary) + 1
    if base**ngrams >= 2**62:
        raise DataError(
            f"{len(vocabulary):,} different words are too many for groups of {ngrams}",
            key=("data", "ngrams"),
            hint="smaller ngrams",
        )
    flat = np.concatenate([np.zeros(0, "int64"), *rows]) + 1
    owner = np.repeat(np.arange(len(rows), dtype="int32"), [len(row) for row in rows])
    code, codes, owners = flat, [flat], [owner]
    for further in range(1, ngrams):
        code = code[:-1] * base + flat[further:]
        within = owner[: len(code)] == owner[further:]
        codes.append(code[within])
        owners.append(owner[: len(code)][within])
    of_row = np.concatenate(owners)
    order = np.argsort(of_row, kind="stable")
    distinct, places = np.unique(np.concatenate(codes)[order], return_inverse=True)
    ends = np.cumsum(np.bincount(of_row, minlength=len(rows)))[:-1]
    return Tokens(ragged(np.split(places.astype("int32"), ends)), vocabulary, distinct)


def hashed(token: str, num_words: int) -> int:
    """An id from 1 to `num_words` - 1 by the MD5 of the token, as `hashing_trick` of Keras (hash_function="md5").

    Python's own hash, which DLwP 6.1.1 uses, differs from process to process.
    """
    digest = hashlib.md5(token.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
    return 1 + int(digest, 16) % (num_words - 1)
