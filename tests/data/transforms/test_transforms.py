import json

import numpy as np
import pytest

from dlrun.data._transforms import Chain
from dlrun.errors import ConfigError, DataError, UnknownNameError
from dlrun.registry import TRANSFORMS

NUMBERS = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 2.0], [8.0, 5.0, 4.0]])
COLOURS = np.array([["red", "s"], ["blue", None], ["red", "m"], ["green", None]], object)


@pytest.mark.parametrize("name", TRANSFORMS.builtin_names())
def test_each_transform_survives_json(name):
    values = COLOURS if name == "one_hot" else np.abs(NUMBERS)
    chain = Chain.from_config([name])
    chain.fit(values)
    restored = Chain.from_state(json.loads(json.dumps(chain.get_state())))
    np.testing.assert_array_equal(restored.apply(values), chain.apply(values))


def fitted(entries, values):
    chain = Chain.from_config(entries)
    chain.fit(values)
    return chain.apply(values)


def test_standardise_gives_mean_0_and_deviation_1_and_leaves_gaps():
    found = fitted(["standardise"], NUMBERS)
    np.testing.assert_allclose(found[:, 0], (NUMBERS[:, 0] - 4) / np.std([1, 3, 8]))
    np.testing.assert_array_equal(found[:, 1], 0)
    np.testing.assert_allclose(found[:, 2], [np.nan, -1, 1])


def test_standardise_takes_a_constant_column_with_rounding_as_constant():
    np.testing.assert_allclose(fitted(["standardise"], np.full((7, 1), 0.1)), 0, atol=1e-12)


def test_min_max_stretches():
    found = fitted([{"min_max": {"low": -1, "high": 1}}], NUMBERS)
    np.testing.assert_allclose(found[:, 0], [-1, -1 + 4 / 7, 1])
    np.testing.assert_array_equal(found[:, 1], -1)
    np.testing.assert_allclose(found[:, 2], [np.nan, -1, 1])


def test_log1p_is_the_logarithm_and_refuses_what_has_none():
    np.testing.assert_array_equal(fitted(["log1p"], NUMBERS), np.log1p(NUMBERS))
    with pytest.raises(DataError, match=r"log1p needs values above -1; row 2, numeric column 1 is -3"):
        fitted(["log1p"], np.array([[1.0], [-3.0]]))


@pytest.mark.parametrize(
    ("options", "fill"),
    [
        (None, 3.0),
        ({"strategy": "mean"}, 4.0),
        ({"strategy": "most_frequent"}, 2.0),
        ({"strategy": "constant", "value": -1}, -1),
    ],
)
def test_impute_fills_numbers(options, fill):
    values = np.array([[2.0], [2.0], [np.nan], [4.0], [8.0]])
    assert fitted([{"impute": options}], values)[2, 0] == fill


def test_impute_fills_categories_with_the_most_frequent_one():
    values = np.array([["b"], ["a"], [None], ["b"]], object)
    assert fitted(["impute"], values).tolist() == [["b"], ["a"], ["b"], ["b"]]
    filled = fitted([{"impute": {"strategy": "constant", "value": "none"}}], values)
    assert filled[2, 0] == "none"


def test_impute_fills_a_column_without_any_value():
    assert fitted(["impute"], np.array([[np.nan], [np.nan]])).tolist() == [[0], [0]]


@pytest.mark.parametrize(
    ("options", "values", "message"),
    [
        ({"strategy": "constant"}, NUMBERS, "impute: strategy constant needs a value"),
        ({"strategy": "constant", "value": "x"}, NUMBERS, "impute: 'x' cannot fill columns of numbers"),
        ({"strategy": "mean"}, COLOURS, "impute: there is no mean of categories"),
    ],
)
def test_impossible_options_of_impute_are_refused(options, values, message):
    with pytest.raises(ConfigError, match=message):
        fitted([{"impute": options}], values)


def test_one_hot_has_a_column_per_category_and_one_for_gaps():
    found = fitted(["one_hot"], COLOURS)
    assert found.dtype == "float32"
    expected = [[0, 0, 1, 0, 1, 0], [1, 0, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 0, 1]]
    assert found.tolist() == expected


def test_one_hot_gives_zeros_for_what_it_did_not_see():
    chain = Chain.from_config(["one_hot"])
    chain.fit(COLOURS[:1])
    assert chain.apply(COLOURS).tolist() == [[1, 1], [0, 0], [1, 0], [0, 0]]


def test_one_hot_keeps_the_most_frequent_categories():
    found = fitted([{"one_hot": {"max_categories": 1}}], COLOURS)
    assert found.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_one_hot_takes_numbers_too():
    assert fitted(["one_hot"], np.array([[2.0], [1.0], [np.nan]])).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_steps_learn_from_what_the_steps_before_made():
    found = fitted(["impute", "min_max"], np.array([[0.0], [np.nan], [10.0]]))
    assert found.tolist() == [[0], [0.5], [1]]


def test_an_unknown_transform_gets_a_hint():
    with pytest.raises(UnknownNameError, match="did you mean standardise"):
        Chain.from_config(["standardize"])
