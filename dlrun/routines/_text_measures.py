"""What can be counted in texts that a model has written."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from statistics import fmean

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
GRAM = 4  # tokens that count as a repetition when they stood in the text before


def words_in(text: str) -> list[str]:
    """The words of a text, in lower case; no numbers, no punctuation."""
    return _WORD.findall(text.lower())


def real_word_share(texts: Sequence[str], known: Set[str]) -> float:
    """The share of the words of all texts that are `known`; 0 where there is no word.

    The first and the last word of a text do not count: they may be parts of words.
    """
    words = [word for text in texts for word in words_in(text)[1:-1]]
    return sum(word in known for word in words) / len(words) if words else 0.0


def repeated_share(rows: Sequence[Sequence[int]]) -> float:
    """The share of the groups of four tokens that stood in the same text before, the mean of all texts; 0 where texts
    are too short.
    """
    return fmean(_repeated(list(row)) for row in rows)


def _repeated(row: list[int]) -> float:
    grams = [tuple(row[at : at + GRAM]) for at in range(len(row) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
