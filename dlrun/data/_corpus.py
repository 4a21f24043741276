"""The encoder of running text: tokens at rest as one row of codes, windows of it gathered in the graph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from keras import ops

from dlrun.data._dataset import Arrays, Encoder, encoder
from dlrun.data._text_files import read_text
from dlrun.errors import DataError, listing
from dlrun.spec import InputSpec

Level = Literal["character", "word"]
UNKNOWN = "<unknown>"  # the word with code 0: all that are too rare for a code of their own
_WORD = re.compile(r"\w+(?:['’-]\w+)*|-{2,}|[^\w\s]")  # a dash of two is one mark
_NO_BLANK_BEFORE, _NO_BLANK_BEHIND = ".,;:!?)]}", "([{"
_NAMES = {" ": "blank", "\n": "newline", "\t": "tab"}
_SHOWN = 40  # characters of a window's end


@encoder("corpus")
class CorpusEncoder(Encoder):
    """Windows of `maxlen` tokens, as codes `(maxlen,)` or one-hot `(maxlen, tokens)`; the next token is the target.

    Raw rows are the positions that windows start at, in `codes` `(positions,)`, which are places in `tokens`. `lead`
    are the `maxlen` tokens that a text is taken to follow on when nothing is said before it.
    """

    texts = True

    def __init__(
        self,
        *,
        tokens: Sequence[str],
        level: Level,
        lower: bool,
        maxlen: int,
        one_hot: bool,
        lead: Sequence[int],
        file_encoding: str = "utf-8",
    ) -> None:
        self.tokens = list(tokens)
        self.level = level
        self.lower = lower
        self.maxlen = maxlen
        self.one_hot = one_hot
        self.lead = list(lead)
        self.file_encoding = file_encoding

    def inputs(self) -> dict[str, InputSpec]:
        """`text`: `(maxlen,)` codes, or `(maxlen, tokens)` zeros and ones."""
        if self.one_hot:
            return {"text": InputSpec((self.maxlen, len(self.tokens)))}
        return {"text": InputSpec((self.maxlen,), "int32", vocabulary_size=len(self.tokens))}

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """Windows `(batch, maxlen)` int32 or `(batch, maxlen, tokens)` float32."""
        starts = ops.take(arrays["starts"], indices, axis=0)
        places = starts[:, None] + np.arange(self.maxlen, dtype="int32")
        return self.as_inputs(ops.cast(ops.take(arrays["codes"], places, axis=0), "int32"))

    def as_inputs(self, codes: Any) -> Any:
        """What the model gets for windows of codes `(batch, maxlen)` int32."""
        return ops.one_hot(codes, len(self.tokens), dtype="float32") if self.one_hot else codes

    def encode(self, text: str) -> np.ndarray:
        """The codes `(length,)` int32 of a text. Raises DataError for characters that the corpus has not."""
        found = split(text, self.level, lower=self.lower)
        if self.level == "word":
            return np.array([self._codes.get(token, 0) for token in found], "int32")
        if strange := [character for character in dict.fromkeys(found) if character not in self._codes]:
            raise DataError(
                f"the corpus of this run has no {listing(map(repr, strange))}",
                expected="characters out of " + repr("".join(t for t in self.tokens if t.isprintable())),
            )
        return np.array([self._codes[token] for token in found], "int32")

    def decode(self, codes: Sequence[int] | np.ndarray) -> str:
        """Codes as text."""
        return joined([self.tokens[code] for code in codes], self.level)

    def continued(self, text: str, codes: Sequence[int] | np.ndarray) -> str:
        """A text, as it was typed where that can be, with codes behind it."""
        if self.level == "character":
            return text + self.decode(codes)
        before = split(text, self.level, lower=self.lower)
        return joined([*before, *(self.tokens[code] for code in codes)], self.level)

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """The last `maxlen` tokens of each text file."""
        return self._windows([(str(source), read_text(source, self.file_encoding)) for source in sources])

    def read_values(self, values: Any) -> Arrays:
        """The last `maxlen` tokens of each text in a list."""
        return self._windows([(f"text {place}", str(text)) for place, text in enumerate(values, 1)])

    def _windows(self, texts: Sequence[tuple[str, str]]) -> Arrays:
        rows = []
        for name, text in texts:
            codes = self.encode(text)
            if len(codes) < self.maxlen:
                raise DataError(
                    f"{name}: the text is shorter than a window",
                    received=f"{len(codes):,} {self.level}s",
                    expected=f"at least {self.maxlen:,} (data.maxlen)",
                )
            rows.append(codes[-self.maxlen :])
        starts = np.arange(len(rows), dtype="int32") * self.maxlen
        return {"starts": starts, "codes": np.concatenate(rows) if rows else np.zeros(0, "int32")}

    def row_count(self, raw: Arrays) -> int:
        return len(raw["starts"])

    def describe(self, raw: Arrays, row: int) -> str:
        """The end of the window."""
        start = int(raw["starts"][row])
        text = self.decode(raw["codes"][start : start + self.maxlen])
        return "... " + " ".join(text[-_SHOWN:].split())

    def get_state(self) -> dict[str, Any]:
        """All options, the tokens among them."""
        return {
            "tokens": self.tokens,
            "level": self.level,
            "lower": self.lower,
            "maxlen": self.maxlen,
            "one_hot": self.one_hot,
            "lead": self.lead,
            "file_encoding": self.file_encoding,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CorpusEncoder:
        """The encoder as it was when its state was taken."""
        return cls(**state)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.tokens)}


def split(text: str, level: Level, *, lower: bool) -> list[str]:
    """The tokens of a text: its characters; or its words and, one by one, marks of punctuation."""
    text = text.lower() if lower else text
    return list(text) if level == "character" else _WORD.findall(text)


def joined(tokens: Sequence[str], level: Level) -> str:
    """Tokens as text; between words blanks, as they stand around marks of punctuation."""
    if level == "character":
        return "".join(tokens)
    parts, before = [], _NO_BLANK_BEHIND[0]
    for token in tokens:
        parts.append(token if token in _NO_BLANK_BEFORE or before in _NO_BLANK_BEHIND else f" {token}")
        before = token
    return "".join(parts)


def vocabulary_of(tokens: Sequence[str], level: Level, num_words: int) -> list[str]:
    """All characters, sorted; or UNKNOWN and the most frequent words, sorted within one frequency."""
    if level == "character":
        return sorted(set(tokens))
    counts = sorted(Counter(tokens).items(), key=lambda one: (-one[1], one[0]))
    return [UNKNOWN, *(word for word, _ in counts[: num_words - 1])]


def label_of_token(token: str) -> str:
    """A token as the name of a class: white space has a word for it."""
    return _NAMES.get(token, token)
