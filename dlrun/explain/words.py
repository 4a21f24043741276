"""Which words of a text speak for a class: gradient x input, and what changes when a word is left out.

Source of the first: Denil, Demiraj and de Freitas, Extraction of Salient Sentences from Labelled Documents, 2014.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dlrun.data._words import WordsEncoder
from dlrun.engine.gradients import compiled, gradient
from dlrun.engine.layers import all_layers, run_to, tapped
from dlrun.explain._scores import Scorer
from dlrun.explain._subject import Subject, Written
from dlrun.explain._titles import Explained, explained_classes
from dlrun.explain._word_page import write_page
from dlrun.explain.saliency import input_gradients

MOST_VALUES = 2**23  # of one batch of texts with a word left out
MOST_TEXTS = 128
TOP = 3  # words in the table


@dataclass(frozen=True)
class Word:
    """A word of a text, and how much it speaks for the class: by the gradient, and by how much the class loses without
    it, both in units of what is explained (a logit, or a probability).
    """

    text: str
    attribution: float
    left_out: float


def explain_words(subject: Subject) -> list[Written]:
    """A page for each text, its words coloured by what they say for the class; those of a bag by their weight."""
    explained, inputs = explained_classes(subject), keras.ops.convert_to_numpy(subject.inputs)
    attributions = word_attributions(subject.model, inputs, subject.scorer, explained.classes)
    without = _WithoutWords(subject)
    written = []
    for place, attribution in enumerate(attributions):
        slots, texts = _words(subject, inputs[place])
        lost = without.losses(inputs[place], slots, explained.classes[place])
        words = [
            Word(text, float(attribution[slot]), float(loss))
            for text, slot, loss in zip(texts, slots, lost, strict=True)
        ]
        if inputs.dtype.kind == "f" and inputs.ndim == 2:
            words.sort(key=lambda word: -abs(word.left_out))
        written.append(_write(subject, place, words, explained))
    return written


def word_attributions(model: keras.Model, inputs: np.ndarray, scorer: Scorer, classes: np.ndarray) -> np.ndarray:
    """`(batch, length)` for texts in order, `(batch, num_words)` for bags: gradient x input, that of word ids taken at
    what the first Embedding makes of them, summed over its dimensions.
    """
    if inputs.dtype.kind == "f":
        found = input_gradients(model, inputs, scorer, classes) * inputs
        return found.sum(axis=-1) if found.ndim == 3 else found
    embedding = first_embedding(model)

    def products(given: Any, weights: Any) -> Any:
        vectors = run_to(model, given, embedding)

        def score(change: Any) -> tuple[Any, None]:
            with tapped(embedding, lambda output: output + change):
                return scorer.score(scorer.outputs(given), weights), None

        slope, _ = gradient(score, keras.ops.zeros_like(vectors))
        return keras.ops.sum(slope * vectors, axis=-1)

    weights = keras.ops.convert_to_tensor(scorer.class_weights(classes))
    found = compiled(products, model)(keras.ops.convert_to_tensor(inputs), weights)
    return np.asarray(keras.ops.convert_to_numpy(found), "float32")


def first_embedding(model: keras.Model) -> Any:
    """The first Embedding of a model, or None."""
    return next((one for one in all_layers(model).values() if isinstance(one, keras.layers.Embedding)), None)


def _words(subject: Subject, values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Where the words of one text stand in the model's input, and what they are, in the order of reading; those of a
    bag by their ids.
    """
    encoder = subject.encoder
    assert isinstance(encoder, WordsEncoder)
    if encoder.encoding == "sequence":
        slots = np.flatnonzero(values)
        ids = values[slots]
    elif values.ndim == 2:
        slots = np.flatnonzero(values.any(axis=1))
        ids = values[slots].argmax(axis=1)
    else:
        ids = slots = np.flatnonzero(values)
    if encoder.reverse and encoder.encoding in ("sequence", "one_hot"):
        slots, ids = slots[::-1], ids[::-1]
    return slots, [encoder.decode([int(one)]) or "[start]" for one in ids]


class _WithoutWords:
    """What the class of a text loses without a word, by computing it anew for each word.

    Padding comes in its place: were the others to move up, a model that knows places would answer to that, too. Of a
    bag all occurrences of the word go.
    """

    def __init__(self, subject: Subject) -> None:
        scorer = subject.scorer
        self._scorer = scorer
        self._outputs: Callable[[Any], Any] = compiled(scorer.outputs, subject.model)

    def losses(self, values: np.ndarray, slots: np.ndarray, wanted: int) -> np.ndarray:
        """For each of the `slots` of one text's input `values` the score with it, less the score without it."""
        count = max(1, min(MOST_TEXTS, MOST_VALUES // values.size))
        weights = self._scorer.class_weights(np.array([wanted]))[0]
        scores = [self._scores(values[None], count, weights)]
        for start in range(0, len(slots), count):
            part = slots[start : start + count]
            texts = np.repeat(values[None], len(part), axis=0)
            texts[np.arange(len(part)), part] = 0
            scores.append(self._scores(texts, count, weights))
        found = np.concatenate(scores)
        return found[0] - found[1:]

    def _scores(self, texts: np.ndarray, count: int, weights: np.ndarray) -> np.ndarray:
        """The scores of at most `count` texts, computed as so many, so that nothing is compiled twice."""
        filled = np.concatenate([texts, np.zeros((count - len(texts), *texts.shape[1:]), texts.dtype)])
        outputs = keras.ops.convert_to_numpy(self._outputs(keras.ops.convert_to_tensor(filled)))[: len(texts)]
        return np.asarray(outputs.astype("float64") @ weights)


def _write(subject: Subject, place: int, words: list[Word], explained: Explained) -> Written:
    values = np.array([[word.attribution, word.left_out] for word in words]).reshape(-1, 2)
    spread = values.std(axis=0)
    agreement = float(np.corrcoef(values.T)[0, 1]) if len(words) > 2 and spread.all() else None
    ranked = sorted(words, key=lambda word: -word.left_out)
    telling = ", ".join(word.text for word in ranked[:TOP] if word.left_out > 0)
    file = subject.file("words", f"{subject.stems[place]}.html")
    unit = "probability" if subject.options.target == "probability" else "logit"
    write_page(file, explained.title(place), words, agreement, unit if subject.task.classifies else "prediction")
    facts = explained.facts(place) | {"agreement": agreement, "words": [vars(word) for word in words]}
    return Written("words", subject.texts[place], file, f"{explained.finding(place)}: {telling or 'no word'}", facts)
