"""Texts drawn token by token: the distribution is the book's, and what comes hangs on the draws alone."""

import keras
import numpy as np
import pytest

from dlrun.data._corpus import CorpusEncoder
from dlrun.routines._sampling import Sampler, continued_alike, continued_in_turn, drawn_for
from dlrun.routines._temperature_figure import reweighted
from dlrun.routines._text_measures import real_word_share, repeated_share

MAXLEN = 4
CHANCES = np.array([0.05, 0.4, 0.25, 0.2, 0.1])
LETTERS = list("abcde")


def encoder(**options):
    state = {"tokens": LETTERS, "level": "character", "lower": True, "maxlen": MAXLEN, "one_hot": True, "lead": [0] * 4}
    return CorpusEncoder(**{**state, **options})


def model(kernel, bias=None, size=5):
    """What follows on the last token, by a matrix of logits `(tokens, tokens)`."""
    inputs = keras.Input((MAXLEN, size))
    last = keras.layers.Flatten()(keras.layers.Cropping1D((MAXLEN - 1, 0))(inputs))
    dense = keras.layers.Dense(size, activation="softmax")
    made = keras.Model(inputs, dense(last))
    dense.set_weights([kernel, np.zeros(size) if bias is None else bias])
    return made


@pytest.fixture(scope="module")
def constant():
    """A model that gives the same chances after any window."""
    return Sampler(model(np.zeros((5, 5)), np.log(CHANCES)), encoder())


@pytest.fixture(scope="module")
def counting():
    """A model that is sure of the letter that follows in the alphabet."""
    return Sampler(model(80 * np.roll(np.eye(5), 1, axis=1)), encoder())


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_listing_8_1_says(constant, temperature):
    texts = 1000
    draws = (np.arange(texts)[None] + 0.5) / texts
    found = constant(np.zeros((texts, MAXLEN)), np.full(texts, temperature), draws)
    expected = reweighted(CHANCES, temperature)
    np.testing.assert_allclose(np.bincount(found.codes[:, 0], minlength=5) / texts, expected, atol=1.5 / texts)
    entropy = -(expected * np.log2(expected)).sum()
    np.testing.assert_allclose(found.entropy, entropy, rtol=1e-4)


def test_temperature_0_takes_the_most_probable_token(constant):
    found = constant(np.zeros((2, MAXLEN)), np.array([0.0, 0.0]), np.array([[0.01, 0.99]] * 3))
    assert (found.codes == 1).all()


def test_the_window_moves_on_with_what_was_written(counting):
    found = counting(np.array([[0, 0, 0, 2]]), np.array([1.0]), np.full((7, 1), 0.5))
    assert encoder().decode(found.codes[0]) == "deabcde"


def test_a_text_does_not_depend_on_which_others_are_asked_for(constant):
    alone = constant(np.zeros((1, MAXLEN)), np.array([0.5]), drawn_for(3, 50, 1, 1))
    among = constant(np.zeros((3, MAXLEN)), np.array([0.2, 0.5, 1.0]), drawn_for(3, 50, 1, 3))
    np.testing.assert_array_equal(among.codes[1], alone.codes[0])
    assert (drawn_for(3, 50, 1, 1) != drawn_for(4, 50, 1, 1)).all()


def test_what_is_told_piece_by_piece_is_the_whole_text(constant):
    pieces = []
    draws = drawn_for(1, 50, 2, 1)
    told = constant(np.zeros((2, MAXLEN)), np.ones(2), draws, pieces.append)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), told.codes)
    assert len(pieces) == 3
    np.testing.assert_array_equal(constant(np.zeros((2, MAXLEN)), np.ones(2), draws).codes, told.codes)


def test_the_window_is_reset_between_temperatures_or_carried_on(counting):
    window, draws = np.array([0, 0, 0, 2]), np.full((3, 4), 0.5)
    alike = continued_alike(counting, window, [0.5, 1.0], draws)
    assert [encoder().decode(row) for row in alike.codes] == ["dea"] * 4
    in_turn = continued_in_turn(counting, window, [0.5, 1.0], draws)
    assert [encoder().decode(row) for row in in_turn.codes] == ["dea", "dea", "bcd", "bcd"]


def test_the_word_for_rare_words_is_never_written():
    words = encoder(tokens=["<unknown>", *LETTERS[1:]], level="word")
    sampler = Sampler(model(np.zeros((5, 5)), np.log([0.9, 0.025, 0.025, 0.025, 0.025])), words)
    found = sampler(np.ones((200, MAXLEN)), np.ones(200), (np.arange(200)[None] + 0.5) / 200)
    assert set(found.codes[:, 0].tolist()) == {1, 2, 3, 4}


def test_outputs_without_softmax_are_told_apart(constant):
    inputs = keras.Input((MAXLEN, 5))
    dense = keras.layers.Dense(5)
    logits = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.set_weights([np.zeros((20, 5)), np.log(CHANCES) + 3])
    found = Sampler(logits, encoder(), logits=True).probabilities(np.zeros((1, MAXLEN)))
    np.testing.assert_allclose(found[0], CHANCES, rtol=1e-5)


def test_measures_of_texts_are_as_counted_by_hand():
    known = {"the", "cat", "sat"}
    assert real_word_share(["e the cta sat th", "x cat sot y"], known) == pytest.approx(3 / 5)
    assert real_word_share(["one"], known) == 0
    assert repeated_share([[1, 2, 3, 4, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7, 8]]) == pytest.approx((1 / 5 + 0) / 2)
    assert repeated_share([[1, 2]]) == 0
