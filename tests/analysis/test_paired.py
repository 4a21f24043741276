"""Two configurations compared seed by seed."""

import math
from pathlib import Path

import pytest

from dlrun.analysis._entries import Entry
from dlrun.analysis._paired import paired
from dlrun.run_dir import RunDir


def entries(values):
    """Completed runs by their seed."""
    return [Entry(RunDir(Path("x")), config={"seed": seed}, best={"acc": value}) for seed, value in values]


def test_differences_are_taken_seed_by_seed():
    found = paired(entries([(1, 0.2), (2, 0.5)]), entries([(2, 0.1), (1, 0.1)]), "acc")
    assert found.n == 2
    assert found.mean == pytest.approx(0.25)
    assert found.spread == pytest.approx(0.3 / math.sqrt(2))
    assert found.p == pytest.approx(1 - 2 * math.atan(0.25 / 0.15) / math.pi)  # Student's t with one degree of freedom


def test_p_is_that_of_a_paired_t_test():
    own, other = [0.81, 0.83, 0.80, 0.86, 0.84], [0.80, 0.80, 0.81, 0.82, 0.81]
    found = paired(entries(enumerate(own)), entries(enumerate(other)), "acc")
    stats = pytest.importorskip("scipy.stats")
    assert found.p == pytest.approx(stats.ttest_rel(own, other).pvalue)


def test_equal_differences_have_no_p():
    found = paired(entries([(1, 0.75), (2, 0.5)]), entries([(1, 0.5), (2, 0.25)]), "acc")
    assert (found.mean, found.spread, found.p) == (0.25, 0.0, None)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ([(1, 0.1), (2, 0.2)], [(3, 0.1), (4, 0.2)]),
        ([(1, 0.1), (2, 0.2)], [(1, 0.1), (3, 0.2)]),
        ([(1, 0.1), (1, 0.2), (2, 0.3)], [(1, 0.1), (2, 0.2)]),
        ([(1, 0.1), (2, None)], [(1, 0.1), (2, 0.2)]),
    ],
)
def test_fewer_than_two_common_seeds_are_no_comparison(own, other):
    assert paired(entries(own), entries(other), "acc") is None
