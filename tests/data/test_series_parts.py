import re
from pathlib import Path

import numpy as np
import pytest

from dlrun.data._series_parts import Windows, bounds_of, row_parts
from dlrun.errors import DataError

FILE = Path("series.csv")


def bounds(ranges=None, validation=0.2, test=0.2):
    return bounds_of(FILE, 200, ranges or {}, validation, test)


def test_shares_and_numbers_are_cut_from_the_end():
    assert bounds() == {"training": (0, 120), "validation": (120, 160), "test": (160, 200)}
    assert bounds(validation=10, test=0) == {"training": (0, 190), "validation": (190, 200)}


def test_ranges_may_leave_rows_out():
    ranges = {"training": [5, 100], "test": [150, None], "validation": [101, 150]}
    assert bounds(ranges) == {"training": (5, 100), "validation": (101, 150), "test": (150, 200)}


def test_the_rows_of_the_book_are_counted_as_there():
    ranges = {"training": [0, 200_000], "validation": [200_001, 300_000], "test": [300_001, None]}
    found = bounds_of(FILE, 420_551, ranges, 0.2, 0.2)
    rows, parts = row_parts(FILE, found, Windows(1440, 144, "book"), np.ones(420_551, bool))
    assert len(parts["training"]) == 198_560
    assert (len(parts["validation"]) // 128, len(parts["test"]) // 128 + 1) == (769, 930)
    assert rows[parts["test"][-1]] == 420_406


BROKEN = [
    ({"validation": 0}, ("validation",), "a series needs a validation part"),
    ({"validation": 1.5}, ("validation",), "data.validation is no share of the 200 rows"),
    ({"test": -1}, ("test",), "data.test is no share of the 200 rows"),
    ({"validation": 0.6, "test": 0.5}, ("validation",), "leave no rows to train on\n  received  220 of 200 rows"),
    ({"ranges": {"training": [0, 100]}}, ("ranges",), "data.ranges has no validation part"),
    ({"ranges": {"training": [0, 9], "valid": [9, 99]}}, ("ranges", "valid"), "no part 'valid'(.|\n)*mean validation"),
    ({"ranges": {"training": [0, 100], "validation": [90, 190]}}, ("ranges", "validation"), "begins before the one"),
    (
        {"ranges": {"training": [0, 100], "validation": [100, 900]}},
        ("ranges", "validation"),
        r"\[100, 900\], series.csv",
    ),
    ({"ranges": {"training": [0, 100], "validation": [100]}}, ("ranges", "validation"), "is no range"),
    ({"ranges": {"training": [None, 100], "validation": [100, 120]}}, ("ranges", "training"), "is no range"),
]


@pytest.mark.parametrize(("options", "key", "message"), BROKEN)
def test_parts_that_cannot_be_are_refused_with_their_key(options, key, message):
    with pytest.raises(DataError) as caught:
        bounds(**options)
    assert re.search(message, str(caught.value)), str(caught.value)
    assert caught.value.problems[0].key == ("data", *key)


def test_a_cap_that_leaves_nothing_is_refused():
    with pytest.raises(DataError, match=r"max_validation_windows is too small"):
        row_parts(FILE, bounds(), Windows(4, 1, "inside", 0), np.ones(200, bool))
