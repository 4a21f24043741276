import math

import pytest

from dlrun.studies._averaging import (
    best_epoch,
    dropped_for,
    interval_method,
    mean_curve,
    smoothed,
    smoothing_for,
    spread_of,
    spreads_at,
)


def of_the_book(points, factor=0.9):
    """Listing 3-31, as printed."""
    smoothed_points = []
    for point in points:
        if smoothed_points:
            previous = smoothed_points[-1]
            smoothed_points.append(previous * factor + point * (1 - factor))
        else:
            smoothed_points.append(point)
    return smoothed_points


def test_the_smoothed_curve_is_that_of_the_book():
    values = [5.0, 3.0, 4.0, 1.0, 2.5, 2.0, 2.25]
    assert smoothed(values, 0.9, 2) == of_the_book(values[2:])


@pytest.mark.parametrize(("epochs", "factor", "dropped"), [(500, 0.9, 10), (1000, 0.9, 10), (100, 0.5, 2), (20, 0, 0)])
def test_what_is_not_stated_follows_from_the_epochs(epochs, factor, dropped):
    assert (smoothing_for(epochs, None), dropped_for(epochs, None)) == (pytest.approx(factor), dropped)


def test_stated_values_stand_and_one_epoch_is_left():
    assert (smoothing_for(20, 0.8), dropped_for(20, 5), dropped_for(5, 10)) == (0.8, 5, 4)


def test_the_mean_curve_ends_with_the_shortest_fold():
    first = [{"loss": 1.0, "val_mae": 2.0}, {"loss": 3.0, "val_mae": 4.0}]
    second = [{"loss": 2.0, "val_mae": 5.0}]
    (row,) = mean_curve([first, second])
    assert row == {"loss": 1.5, "val_mae": 3.5, "val_mae_std": pytest.approx(math.sqrt(4.5))}


@pytest.mark.parametrize(("mode", "expected"), [("min", 3), ("max", 5)])
def test_the_best_epoch_is_counted_from_one_over_the_whole_run(mode, expected):
    assert best_epoch([0.0, 3.0, 1.0, 2.0, 4.0], mode, 0.0, 1) == expected


def test_smoothing_passes_over_a_lucky_epoch_and_nan_is_never_best():
    values = [5.0, 4.0, 1.0, 4.0, 3.0, 2.9, 2.8, 2.7, 2.7, 2.7]
    assert best_epoch(values, "min", 0.0, 0) == 3
    assert best_epoch(values, "min", 0.9, 0) == 10
    assert best_epoch([math.nan, 2.0, 1.0], "min", 0.0, 0) == 3


def test_the_interval_of_one_round_is_student_s_t():
    found = spread_of([1.0, 2.0, 3.0, 4.0], 4, 1)
    assert (found["mean"], found["std"]) == (2.5, pytest.approx(1.290994))
    assert (found["low"], found["high"]) == (
        pytest.approx(0.44574, abs=1e-5),
        pytest.approx(4.55426),
    )  # t(3) = 3.182446
    assert "Student's t over 4 folds" in interval_method(4, 1)


def test_repetitions_do_not_make_the_interval_as_narrow_as_independent_folds_would():
    values = [1.0, 2.0, 3.0, 4.0] * 10
    found = spread_of(values, 4, 10)
    half = 2.022691 * found["std"] * math.sqrt(1 / 40 + 1 / 3)  # t(39)
    assert found["high"] - found["mean"] == pytest.approx(half)
    assert "Nadeau and Bengio" in interval_method(4, 10)


def test_only_metrics_that_every_fold_has_are_averaged():
    rows = [{"val_mae": 1.0, "learning_rate": 0.1}, {"val_mae": 2.0, "val_extra": 1.0, "learning_rate": 0.1}]
    assert list(spreads_at(rows, 2, 1)) == ["val_mae"]
