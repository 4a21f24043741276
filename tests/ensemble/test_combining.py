import numpy as np
import pytest

from dlrun.ensemble._combining import combine, correlation, disagreement, faults, loss
from dlrun.spec import Task

BINARY, THREE = Task("binary", ("no", "yes")), Task("multiclass", ("a", "b", "c"))
BOTH, NUMBER = Task("multilabel", ("x", "y")), Task("regression", outputs=1)
EQUAL = np.array([0.5, 0.5])


@pytest.mark.parametrize("how", ["mean", "geometric", "exponential"])
@pytest.mark.parametrize(("task", "units"), [(BINARY, 1), (THREE, 3), (BOTH, 2)])
def test_every_average_of_probabilities_is_one_and_one_member_alone_is_itself(how, task, units):
    stack = np.random.default_rng(1).dirichlet(np.ones(max(2, units)), (2, 50))[:, :, :units]
    found = combine(stack, np.array([0.3, 0.7]), how, task)
    assert ((found > 0) & (found < 1)).all()
    if task is THREE:
        np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(combine(stack, np.array([0.0, 1.0]), how, task), stack[1], atol=1e-6)


def test_the_averages_are_what_their_names_say():
    stack = np.array([[[0.9]], [[0.5]]])
    assert combine(stack, EQUAL, "mean", BINARY)[0, 0] == pytest.approx(0.7)
    assert combine(stack, EQUAL, "geometric", BINARY)[0, 0] == pytest.approx(0.75)  # odds 9 and 1 give 3
    yes, no = np.log((np.exp(0.9) + np.exp(0.5)) / 2), np.log((np.exp(0.1) + np.exp(0.5)) / 2)
    assert combine(stack, EQUAL, "exponential", BINARY)[0, 0] == pytest.approx(yes / (yes + no))


def test_a_sigmoid_may_stand_for_either_class():
    stack = np.array([[[0.9], [0.2]], [[0.4], [0.3]]])
    for how in ("geometric", "exponential"):
        np.testing.assert_allclose(combine(1 - stack, EQUAL, how, BINARY), 1 - combine(stack, EQUAL, how, BINARY))


def test_faults_and_loss_of_each_kind_of_task():
    assert faults(np.array([[0.9], [0.2]]), np.array([1.0, 1.0]), BINARY).tolist() == [0, 1]
    assert faults(np.array([[0.9, 0.2]]), np.array([[1.0, 1.0]]), BOTH).tolist() == [0.5]
    assert faults(np.array([[0.1, 0.8, 0.1]]), np.array([1]), THREE).tolist() == [0]
    assert faults(np.array([[3.0], [1.0]]), np.array([1.0, 2.0]), NUMBER).tolist() == [2, 1]
    assert loss(np.array([[0.5]]), np.array([1.0]), BINARY) == pytest.approx(np.log(2))
    assert loss(np.array([[0.5, 0.25]]), np.array([[1.0, 0.0]]), BOTH) == pytest.approx(-np.log(0.5 * 0.75) / 2)
    assert loss(np.array([[0.1, 0.8, 0.1]]), np.array([1]), THREE) == pytest.approx(-np.log(0.8))
    assert loss(np.array([[3.0], [1.0]]), np.array([1.0, 2.0]), NUMBER) == 2.5


def test_members_that_are_alike_are_told_by_errors_and_labels():
    first, second = np.array([[0.9], [0.2], [0.7]]), np.array([[0.8], [0.6], [0.1]])
    assert disagreement(first, second, BINARY) == pytest.approx(2 / 3)
    assert disagreement(first, second, NUMBER) is None
    assert correlation(np.array([0, 1, 1]), np.array([0, 1, 1])) == pytest.approx(1)
    assert correlation(np.array([0, 0, 0]), np.array([0, 1, 1])) is None
