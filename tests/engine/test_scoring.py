import numpy as np
import pytest

from dlrun.engine.scoring import bootstrap_interval, score
from dlrun.spec import Task


def test_the_bootstrap_interval_is_near_the_normal_one():
    values = np.random.default_rng(0).normal(3, 2, 4000)
    low, high = bootstrap_interval(values, seed=1)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.01)
    assert high == pytest.approx(values.mean() + half, abs=0.01)
    assert bootstrap_interval(values, seed=1) == (low, high)


def test_numbers_are_scored_in_their_own_units():
    found = score(np.array([[1.0], [3.0]]), np.array([2.0, 2.0 + 3]), Task("regression"), seed=1)
    assert found.values["mae"] == 1.5
    assert found.values["mse"] == 2.5
    assert found.values["r2"] == pytest.approx(1 - 2.5 / 2.25)


def test_two_classes_are_scored_by_their_positive_label():
    found = score(np.array([[0.9], [0.4], [0.6], [0.1]]), np.array([1, 1, 0, 0]), Task("binary", ("no", "yes")), seed=1)
    assert found.values["accuracy"] == 0.5
    assert found.values["roc_auc"] == 0.75
    assert found.confusion == [[1, 1], [1, 1]]
