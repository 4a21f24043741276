import math

import pytest

from dlrun.config.schema import Expect
from dlrun.expectations import bound, is_met, judged, measure, result_text, stated_text

HISTORY = [{"val_loss": 3.0, "val_accuracy": 0.1}, {"val_loss": 1.0, "val_accuracy": 0.2}, {"val_loss": 2.0}]
METRICS = {
    "best": {"val_loss": 1.0, "val_mae": 0.5},
    "best_original": {"val_mae": 5.0},
    "best_epoch": 2,
    "parameters": 90,
    "baselines": {"val_loss": 4.0, "val_mae": 0.9, "val_accuracy_shuffled": 0.4},
    "baselines_original": {"mae": 9.0},
}


def expect(metric="val_loss", **keys):
    return Expect(metric=metric, **keys)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        (expect(), 1.0),
        (expect(at="last"), 2.0),
        (expect(at=1), 3.0),
        (expect(at=4), None),
        (expect(at="last_10"), 2.0),
        (expect("val_accuracy", at="own_best"), 0.2),
        (expect("val_accuracy", at="last"), None),
        (expect("val_accuracy", at="last_10"), None),
        (expect(at="own_best"), 1.0),
        (expect("best_epoch"), 2),
        (expect("parameters"), 90),
        (expect("recommended_epochs"), None),
        (expect("test_accuracy"), None),
        (expect("val_mae"), 5.0),
        (expect("baseline_val_mae"), 9.0),
        (expect("baseline_val_loss"), 4.0),
        (expect("baseline_val_accuracy_shuffled"), 0.4),
    ],
)
def test_what_is_stated_is_read_where_it_is_meant(entry, value):
    assert measure(entry, METRICS, HISTORY) == value


def test_an_epoch_of_an_error_in_the_targets_units_is_in_these_units():
    assert measure(expect("val_mae", at=1), METRICS, [{"val_mae": 0.6}]) == pytest.approx(6.0)


def test_a_value_that_is_not_finite_was_not_measured():
    assert measure(expect(at="own_best"), METRICS, [{"val_loss": math.nan}]) is None


@pytest.mark.parametrize(
    ("entry", "measured", "level", "met"),
    [
        (expect(value=1.0, tolerance=0.1), 1.05, None, True),
        (expect(value=1.0, tolerance=0.1), 0.85, None, False),
        (expect("parameters", value=90), 90, None, True),
        (expect("parameters", value=90), 91, None, False),
        (expect(below=2.0), 1.0, 2.0, True),
        (expect(below=2.0), 2.0, 2.0, False),
        (expect(below=2.0, margin=0.5), 1.6, 2.0, False),
        (expect(above=2.0), 2.1, 2.0, True),
        (expect(above="other"), 2.1, None, None),
        (expect(value=1.0, tolerance=0.1), None, None, None),
    ],
)
def test_a_result_is_as_stated_or_not(entry, measured, level, met):
    assert is_met(entry, measured, level) is met


def test_a_run_alone_judges_baselines_and_numbers_but_not_other_configs():
    entries = [expect(below="baseline"), expect(below=0.5), expect(below="other")]
    assert [bound(entry, METRICS) for entry in entries] == [4.0, 0.5, None]
    assert [entry["met"] for entry in judged(entries, METRICS, HISTORY)] == [True, False, None]


def test_an_entry_in_words():
    assert stated_text(expect(at=20, below="baseline", margin=0.1)) == "val_loss at epoch 20 below baseline by 0.1"
    assert stated_text(expect(at="own_best", value=4.0, tolerance=1.0)) == "val_loss at its best: 4 ± 1"
    assert result_text(expect(value=0.88, tolerance=0.01)) == "0.88 ± 0.01"
    assert result_text(expect("parameters", value=93322)) == "93322"
