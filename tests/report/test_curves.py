"""Curves: what is kept of long ones, which ticks, gaps, scales, and what the script can read out."""

import json
import math
import re

import pytest
from pages import Page

from dlrun.report._curves import Chart, Series, draw, log_ticks, smoothed, thinned, ticks


def numbers(path):
    """The points of a path."""
    return [tuple(map(float, pair)) for pair in re.findall(r"[ML](\S+) ([\d.]+)", path)]


def series_paths(chart, attribute="d"):
    """The paths of the series of a drawn chart."""
    text = draw(chart)
    groups = re.findall(r'<g class="series.*?</g>', text)
    return [path for group in groups for path in re.findall(rf' {attribute}="([^"]*)"', group)]


def test_ten_thousand_epochs_keep_their_first_last_lowest_and_highest():
    values = [math.sin(n / 500) for n in range(10_000)]
    values[4_321], values[7_654] = 50.0, -50.0
    points = thinned(values, 400)
    assert len(points) <= 401
    assert {(4_321, 50.0), (7_654, -50.0)} <= set(points)
    assert points[-1] == (9_999, values[-1])
    assert points == sorted(points)


def test_few_points_stay_as_they_are_and_what_is_not_finite_is_a_gap():
    points = thinned([1.0, None, math.inf, 2.0], 400)
    assert [place for place, _ in points] == [0, 1, 2, 3]
    assert [value == value for _, value in points] == [True, False, False, True]


def test_a_gap_interrupts_the_line_and_a_value_alone_is_a_dot():
    (path,) = series_paths(Chart("loss", [Series("training", [[1.0, 2.0, None, 3.0, None, 2.0, 1.0]])]))
    assert re.fullmatch(r"M[^ML]*L[^ML]*M[^ML]*h0M[^ML]*L[^ML]*", path)


def test_higher_values_stand_higher_and_epochs_go_to_the_right():
    (path,) = series_paths(Chart("loss", [Series("training", [[3.0, 2.0, 1.0]])]))
    (x1, y1), (x2, y2), (x3, y3) = numbers(path)
    assert x1 < x2 < x3
    assert y1 < y2 < y3
    assert math.isclose(y2 - y1, y3 - y2, abs_tol=0.2)


def test_on_a_log_scale_equal_factors_are_equal_distances():
    (path,) = series_paths(Chart("loss", [Series("training", [[100.0, 10.0, 1.0]])]), "data-log")
    (_, y1), (_, y2), (_, y3) = numbers(path)
    assert math.isclose(y2 - y1, y3 - y2, abs_tol=0.2)


@pytest.mark.parametrize("values", [[1.0, 0.0, 2.0], [1.0, -1.0], [1.0, 1.0]])
def test_without_a_range_above_zero_there_is_no_log_scale(values):
    assert "log" not in draw(Chart("loss", [Series("training", [values])]))


def test_smoothing_is_offered_from_twenty_epochs_on():
    short, long = (Chart("loss", [Series("training", [[float(n) for n in range(length)]])]) for length in (19, 20))
    assert "data-smooth" not in draw(short)
    assert "data-smooth" in draw(long)


def test_the_moving_average_does_not_begin_at_zero_and_leaves_gaps():
    assert smoothed([4.0, 4.0, None, 4.0]) == [pytest.approx(4.0), pytest.approx(4.0), None, pytest.approx(4.0)]
    assert smoothed([0.0, 1.0], 0.5) == [0.0, pytest.approx(2 / 3)]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0.31, 0.58, [0.35, 0.4, 0.45, 0.5, 0.55]), (-3, 7, [-2, 0, 2, 4, 6])],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("high", [1e-12, 1e-3, 0.7, 1.0, 3.0, 1e5, 1e27])
def test_every_range_has_a_few_ticks(high):
    assert 3 <= len(ticks(0, high)) <= 7
    assert len(log_ticks(high / 3, high)) >= 2
    assert 3 <= len(log_ticks(high / 1e6, high)) <= 7


def test_a_chart_without_any_value_is_none():
    assert draw(Chart("loss", [Series("training", [[None, math.nan]])])) is None


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [1e27, 1.0], [1e-300, 2e-300]])
def test_odd_values_are_drawn_inside_of_the_picture(values):
    for path in series_paths(Chart("loss", [Series("training", [values])], {"baseline": 2.0}, marked=1)):
        assert all(0 <= x <= 440 and 0 <= y <= 250 for x, y in numbers(path))


def test_the_script_gets_the_values_of_single_lines_only_and_cannot_be_left():
    folds = Series("</script>", [[1.0, 2.0], [2.0, 3.0]], "thin")
    text = draw(Chart("loss", [folds, Series("mean", [[1.5, 2.5]])]))
    assert "</script>" not in text.replace("</script></figure>", "")
    (inside,) = re.findall(r'<script type="application/json">(.*)</script>', text)
    found = json.loads(inside)
    assert [one["name"] for one in found["series"]] == ["</script>", "mean"]
    assert [[point[:2] for point in one["points"]] for one in found["series"]] == [[], [[1, 1.5], [2, 2.5]]]


def test_the_legend_names_series_level_and_mark():
    page = Page(draw(Chart("loss", [Series("training", [[1.0, 2.0]])], {"baseline": 2.3026}, marked=2)))
    assert {"training", "baseline 2.3026", "epoch 2"} <= set(page.texts)
    assert page.values("aria-pressed", "button")[0] == "true"
