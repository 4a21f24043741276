"""Posts of made-up people, for a model that predicts several things of one input (DLwP 7.1.3)."""

from __future__ import annotations

import numpy as np

import dlrun
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.data._words import INDEX_FROM, START, WordsEncoder, ragged
from dlrun.errors import DataError
from dlrun.spec import Count, Task

SEED = 713  # the people are the same for every seed of a run
INCOME_GROUPS = 10
AGES = (18, 80)
AGE_STEP = 4  # years that share their words
WORDS_OF_A_KIND = 10  # words that tell an age, an income group or a gender
TELLING_SHARE = 0.15  # of the words, for each of the three


@dlrun.dataset("social_posts")
def social_posts(
    context: DataContext, *, people: Count = 2000, num_words: Count = 2000, maxlen: Count = 300
) -> Dataset:
    """Generated posts of people with their age, income group (10) and gender: three tasks from one text.

    `people`: how many. `num_words`: size of the vocabulary; some 270 words tell something, all others nothing.
    `maxlen`: words per person; the book's net needs 269 (DLwP 7.1.3 has the net, but no data).
    """
    telling = WORDS_OF_A_KIND * (_age_group(np.array(AGES))[1] + 1 + INCOME_GROUPS + 2)
    if people < 10 or num_words < telling + 100 or maxlen < 1:
        raise DataError(
            "data.people, data.num_words or data.maxlen is too small",
            key=("data",),
            received=f"{people}, {num_words} and {maxlen}",
            expected=f"at least 10, {telling + 100} and 1",
        )
    random = np.random.default_rng(SEED)
    ages = random.integers(AGES[0], AGES[1] + 1, people)
    genders = random.integers(0, 2, people)
    incomes = np.clip((ages - AGES[0]) // 8 + random.integers(0, 3, people), 0, INCOME_GROUPS - 1)  # rises with age
    groups = np.stack([_age_group(ages), incomes, genders], axis=1)
    words = _words(num_words)
    rows = [_post(random, one, num_words, maxlen) for one in groups]
    return Dataset(
        name="social_posts",
        raw={"words": ragged(rows)},
        targets={
            "age": ages.astype("float32"),
            "income": incomes.astype("int32"),
            "gender": genders.astype("float32"),
        },
        encoder=WordsEncoder(num_words=num_words, encoding="sequence", maxlen=maxlen, words=words),
        tasks={
            "age": Task("regression", unit="years"),
            "income": Task("multiclass", labels=tuple(f"group {n}" for n in range(1, INCOME_GROUPS + 1))),
            "gender": Task("binary", labels=("female", "male")),
        },
        scale_targets=True,
        notes=["the posts are generated, so --sample changes nothing"] if context.sample else [],
    )


def _age_group(ages: np.ndarray) -> np.ndarray:
    return (ages - AGES[0]) // AGE_STEP


def _words(num_words: int) -> list[str]:
    """The words of the ids from `INDEX_FROM` on: those that tell ages, incomes and genders, then all others."""
    kinds = {"age": int(_age_group(np.array(AGES))[1]) + 1, "income": INCOME_GROUPS, "gender": 2}
    telling = [
        f"{kind}{g}word{w}" for kind, count in kinds.items() for g in range(count) for w in range(WORDS_OF_A_KIND)
    ]
    return telling + [f"word{place}" for place in range(num_words - INDEX_FROM - len(telling))]


def _post(random: np.random.Generator, groups: np.ndarray, num_words: int, length: int) -> np.ndarray:
    """Word ids `(length,)` of one person, of the given age group, income group and gender."""
    ages = int(_age_group(np.array(AGES))[1]) + 1
    firsts = (np.array([0, ages, ages + INCOME_GROUPS]) + groups) * WORDS_OF_A_KIND
    telling = (ages + INCOME_GROUPS + 2) * WORDS_OF_A_KIND
    kinds = random.choice(4, length - 1, p=[TELLING_SHARE] * 3 + [1 - 3 * TELLING_SHARE])
    told = np.append(firsts, 0)[kinds] + random.integers(0, WORDS_OF_A_KIND, length - 1)
    others = random.integers(telling, num_words - INDEX_FROM, length - 1)
    return np.concatenate([[START], np.where(kinds < 3, told, others) + INDEX_FROM]).astype("uint16")
