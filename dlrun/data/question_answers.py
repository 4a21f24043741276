"""Made-up texts with a question on each, for a model with two inputs (DLwP 7.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlrun
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._several_arrays import ArraysEncoder
from dlrun.data._sources import DataContext
from dlrun.errors import DataError
from dlrun.spec import Count, Task

SEED = 712  # the texts are the same for every seed of a run
WORDS_OF_A_KIND = 5
TELLING_SHARE = 0.2  # of the words of a text or a question


@dlrun.dataset("question_answers")
def question_answers(
    context: DataContext,
    *,
    rows: int = 2000,
    num_words: Count = 500,
    text_length: int = 40,
    question_length: int = 12,
    topics: Count = 5,
    kinds: Count = 4,
) -> Dataset:
    """Generated texts and questions as word ids, two inputs with an answer that neither gives alone.

    `rows`: how many. `num_words`: size of the vocabulary. `text_length`, `question_length`: words in each (the book
    draws 100 ids at random, which nothing can learn, DLwP 7.1.2). `topics`, `kinds`: what a text may be about, and what
    a question may ask; there is an answer for each pair of them.
    """
    telling = WORDS_OF_A_KIND * max(topics, kinds)
    if rows < 10 or num_words < 2 * telling or min(text_length, question_length) < 1:
        raise DataError(
            "data.rows, data.num_words or a length is too small",
            key=("data",),
            received=f"{rows}, {num_words}, {text_length} and {question_length}",
            expected=f"at least 10, {2 * telling}, 1 and 1",
        )
    random = np.random.default_rng(SEED)
    about, asked = random.integers(0, topics, rows), random.integers(0, kinds, rows)
    ids: dict[str, Any] = {"dtype": "uint16", "value_range": (0, num_words - 1), "vocabulary_size": num_words}
    lengths = {"text": text_length, "question": question_length}
    return Dataset(
        name="question_answers",
        raw={
            name: _texts(random, groups, telling, num_words, lengths[name])
            for name, groups in (("text", about), ("question", asked))
        },
        targets={"answer": (about * kinds + asked).astype("int32")},
        encoder=ArraysEncoder([ArrayEncoder(name, (length,), **ids) for name, length in lengths.items()]),
        tasks={"answer": Task("multiclass", labels=tuple(f"answer {n}" for n in range(1, topics * kinds + 1)))},
        notes=["the texts are generated, so --sample changes nothing"] if context.sample else [],
    )


def _texts(random: np.random.Generator, groups: np.ndarray, telling: int, num_words: int, length: int) -> np.ndarray:
    """Word ids `(rows, length)`, some of which tell the group (those below `telling`); 0 is kept for padding."""
    shape = (len(groups), length)
    told = groups[:, None] * WORDS_OF_A_KIND + random.integers(0, WORDS_OF_A_KIND, shape)
    others = random.integers(telling, num_words - 1, shape)
    return (np.where(random.random(shape) < TELLING_SHARE, told, others) + 1).astype("uint16")
