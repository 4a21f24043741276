"""Made-up pairs of sentences that mean the same or not, for one net that reads both (DLwP 7.1.5)."""

from __future__ import annotations

import numpy as np

import dlrun
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._several_arrays import ArraysEncoder
from dlrun.data._sources import DataContext
from dlrun.errors import DataError
from dlrun.spec import Count, Task

SEED = 715  # the sentences are the same for every seed of a run
WORDS_OF_A_TOPIC, OTHER_WORDS = 5, 200
TELLING_SHARE = 0.5  # of the words of a sentence


@dlrun.dataset("sentence_pairs")
def sentence_pairs(
    context: DataContext, *, rows: Count = 4000, length: Count = 12, dimensions: Count = 128, topics: Count = 6
) -> Dataset:
    """Generated pairs of sentences as word vectors, `left` and `right`, with the same topic (half of them) or not.

    `rows`: how many pairs. `length`: words in a sentence. `dimensions`: of a word's vector, which is drawn at random.
    `topics`: what a sentence may be about; half of its words tell. The book has the net, but no data (DLwP 7.1.5).
    """
    if rows < 10 or topics < 2:
        message = "data.rows or data.topics is too small"
        received = f"{rows} and {topics}"
        raise DataError(message, key=("data",), received=received, expected="at least 10 and 2")
    random = np.random.default_rng(SEED)
    vectors = random.standard_normal((topics * WORDS_OF_A_TOPIC + OTHER_WORDS, dimensions)).astype("float32")
    same = random.random(rows) < 0.5
    left = random.integers(0, topics, rows)
    right = np.where(same, left, (left + random.integers(1, topics, rows)) % topics)
    return Dataset(
        name="sentence_pairs",
        raw={
            name: vectors[_sentences(random, groups, topics, length)]
            for name, groups in (("left", left), ("right", right))
        },
        targets={"same": same.astype("float32")},
        encoder=ArraysEncoder([ArrayEncoder(name, (length, dimensions)) for name in ("left", "right")]),
        tasks={"same": Task("binary", labels=("different", "same"))},
        notes=["the sentences are generated, so --sample changes nothing"] if context.sample else [],
    )


def _sentences(random: np.random.Generator, groups: np.ndarray, topics: int, length: int) -> np.ndarray:
    """Words `(rows, length)` as places in the table of vectors, some of which tell the topic."""
    shape = (len(groups), length)
    told = groups[:, None] * WORDS_OF_A_TOPIC + random.integers(0, WORDS_OF_A_TOPIC, shape)
    others = random.integers(topics * WORDS_OF_A_TOPIC, topics * WORDS_OF_A_TOPIC + OTHER_WORDS, shape)
    return np.where(random.random(shape) < TELLING_SHARE, told, others)
