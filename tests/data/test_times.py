import numpy as np
import pytest

from dlrun.data._times import time_order
from dlrun.errors import DataError


@pytest.mark.parametrize(
    "values",
    [
        np.array([3.0, 1.0, 2.0]),
        np.array([3, 1, 2]),
        np.array(["2024-03-01", "2023-12-31 23:50", "2024-01-15T00:00:00"], object),
        np.array(["01.06.2024 00:10:00", "31.05.2023 23:50:00", "01.06.2024 00:00:00"], object),
        np.array(["15/06/2024", "16/05/2024", "01/06/2024"], object),
        np.array(["06/15/2024", "05/16/2024", "06/01/2024"], object),
        np.array(["10", "9", "9.5"], object),
    ],
)
def test_times_are_ordered_in_their_written_form(values):
    assert time_order(values, "when").tolist() == [1, 2, 0]


def test_equal_times_keep_their_order():
    assert time_order(np.array([1.0, 0.0, 1.0, 0.0]), "when").tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("values", [np.array([1.0, np.nan]), np.array(["2024-01-01", None], object)])
def test_a_missing_time_is_an_error(values):
    with pytest.raises(DataError, match="column 'when' has no time in row 2"):
        time_order(values, "when")


def test_an_unknown_form_is_an_error():
    with pytest.raises(DataError, match="have no form that is known"):
        time_order(np.array(["monday", "tuesday"], object), "when")
