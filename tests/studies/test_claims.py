import functools

import pytest
from small_book import claims_of, write_book

from dlrun.errors import ConfigError, UnknownNameError
from dlrun.studies._claims import find_configs
from dlrun.studies._costs import duration, parse_duration


@pytest.fixture
def book(tmp_path):
    """Writes configs of a small book; keyword arguments are further lines by name of the config."""
    return functools.partial(write_book, tmp_path / "book")


def test_at_small_scale_values_are_measured_and_orders_are_judged(book):
    folder = book(
        one="""
small: {training.epochs: 2, training.batch_size: 50}
expect:
  - {metric: val_loss, value: 1, tolerance: 9}
  - {metric: val_loss, below: baseline}
  - {metric: parameters, value: 610}
""",
        other="expect: {metric: val_loss, value: 1, tolerance: 9}\n",
    )
    claims = claims_of(folder, scale="small")
    assert [claim.judged for claim in claims] == [False, True, True, True]
    assert claims[0].own[0].config.training.epochs == 2
    assert claims[0].own[0].config.training.batch_size == 50
    assert claims[1].own[2].overrides == ("seed=3",)
    assert claims[3].own[0].overrides == ()
    assert claims[0].own[0].command == ["train", str(folder / "one.yaml"), "--scale", "small"]
    assert claims[3].own[0].command == ["train", str(folder / "other.yaml")]


def test_at_small_scale_the_parameters_of_a_smaller_model_are_not_judged(book):
    counted = "expect: {metric: parameters, value: 610}\n"
    folder = book(
        one=f"small: {{training.epochs: 2, training.batch_size: 7}}\n{counted}",
        other=f"small: {{'model.hidden': [4]}}\n{counted}",
    )
    assert [claim.judged for claim in claims_of(folder, scale="small")] == [True, False]
    assert [claim.judged for claim in claims_of(folder)] == [True, True]


def test_an_order_may_name_a_file_beside_or_a_shipped_config(book):
    folder = book(
        one="expect: {metric: val_loss, below: two}\n", two="", three="expect: {metric: val_loss, below: digits}\n"
    )
    beside, shipped = (claims_of(folder, name)[0].others[0].name for name in ("one.yaml", "three.yaml"))
    assert (beside, shipped) == (str(folder / "two.yaml"), "digits")
    with pytest.raises(UnknownNameError, match="no config named 'nobody'"):
        claims_of(book(one="expect: {metric: val_loss, below: nobody}\n"), "one.yaml")


def test_a_pattern_that_matches_nothing_and_configs_that_state_nothing_are_errors(book):
    with pytest.raises(UnknownNameError, match=r"no config matches 'buk/\*'"):
        find_configs(["buk/*"])
    with pytest.raises(ConfigError, match="state no results"):
        claims_of(book(one=""))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("1.5h", 5400), ("1h30m", 5400), ("2d", 172800)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2 h", "h", "-2h"])
def test_what_is_no_duration(text):
    with pytest.raises(ConfigError, match="not a duration"):
        parse_duration(text)


def test_durations_for_readers():
    assert [duration(seconds) for seconds in (45, 720, 11160)] == ["45 s", "12 min", "3.1 h"]
