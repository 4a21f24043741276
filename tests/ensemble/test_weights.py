import numpy as np
import pytest

from dlrun.ensemble._weights import parse_weights, search
from dlrun.errors import ConfigError


@pytest.mark.parametrize(("text", "expected"), [("equal", [0.5, 0.5]), ("3,1", [0.75, 0.25]), ("random", None)])
def test_weights_are_equal_given_or_searched(text, expected):
    found = parse_weights(text, 2)
    assert (found is None) if expected is None else found.tolist() == expected


@pytest.mark.parametrize("text", ["0.5", "1,1,1", "-1,2", "0,0", "best", "nan,1", ""])
def test_weights_that_do_not_fit_are_refused(text):
    with pytest.raises(ConfigError, match="--weights"):
        parse_weights(text, 2)


@pytest.mark.parametrize("method", ["nelder-mead", "random"])
def test_the_least_loss_is_found(method):
    wanted = np.array([0.2, 0.5, 0.3])
    found = search(method, 3, lambda weights: (0.0, float(((weights - wanted) ** 2).sum())), seed=1)
    np.testing.assert_allclose(found.weights, wanted, atol=1e-3 if method == "nelder-mead" else 0.1)
    assert found.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("method", ["nelder-mead", "random"])
def test_no_mixture_is_chosen_that_has_more_faults_than_the_best_member(method):
    """Here every mixture has a lower loss than the members, and more faults."""

    def judge(weights):
        return (0.1 if weights[1] == 1 else 0.2, float((weights**2).sum()))

    assert search(method, 3, judge, seed=1).weights.tolist() == [0, 1, 0]


def test_a_random_search_is_a_function_of_its_seed():
    def judge(weights):
        return 0.0, float(((weights - [0.1, 0.2, 0.7]) ** 2).sum())

    once, again, other = (search("random", 3, judge, seed=seed).weights.tolist() for seed in (1, 1, 2))
    assert once == again != other
