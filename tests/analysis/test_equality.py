import numpy as np
import pytest

from dlrun.analysis.equality import (
    HistoryDifference,
    differences,
    grouped,
    history_cells,
    history_difference,
    keras_file_arrays,
    weight_difference,
)
from dlrun.errors import RunDirError

BEFORE = [{"loss": "1.5", "val_loss": "2.0"}, {"loss": "1.0", "val_loss": "1.75"}]


def test_equal_histories_do_not_part_nor_does_the_shorter_one():
    assert history_difference(BEFORE, BEFORE) is None
    assert history_difference(BEFORE, BEFORE[:1]) is None


def test_the_first_differing_value_is_told_and_the_largest_distance():
    now = [{"loss": "1.5", "val_loss": "2.5"}, {"loss": "1.0000000000000002", "val_loss": "1.75"}]
    assert history_difference(BEFORE, now) == HistoryDifference(1, "val_loss", "2.0", "2.5", 2, 4, 0.5)


def test_a_column_of_one_history_only_is_a_difference():
    found = history_difference(BEFORE, [{"loss": "1.5"}, {"loss": "1.0", "val_loss": "1.75"}])
    assert (found.metric, found.before, found.now, found.largest) == ("val_loss", "2.0", "", 0.0)


def test_a_number_against_nan_has_no_distance():
    found = history_difference([{"loss": "1.0"}], [{"loss": "nan"}])
    assert (found.now, found.largest) == ("nan", 0.0)


def test_the_history_of_a_run_is_read_as_it_is_written(digits_run):
    cells = history_cells(digits_run)
    assert len(cells) == 3
    assert {name: float(value) for name, value in cells[2].items()} == digits_run.history()[2]
    assert cells[2]["loss"] in digits_run.history_file.read_text()


@pytest.mark.parametrize(
    ("other", "differing", "largest"),
    [
        (np.array([1.0, 2.5, 3.0], "float32"), 1, 0.5),
        (np.array([1.0, np.nan, 3.0], "float32"), 1, 0.0),
        (np.array([-1.0, 2.0, np.inf], "float32"), 2, 2.0),
        (np.array([1.0, 2.0], "float32"), 3, 0.0),
        (np.array([1.0, 2.0, 3.0]), 3, 0.0),
    ],
)
def test_values_are_compared_by_their_bits(other, differing, largest):
    found = weight_difference("weights", {"a": np.array([1.0, 2.0, 3.0], "float32")}, {"a": other})
    assert (found.differing, found.values, found.largest) == (differing, 3, largest)


def test_zero_and_minus_zero_differ_and_nan_equals_itself():
    zero, nan = np.zeros(2), np.array([np.nan])
    assert weight_difference("weights", {"a": zero}, {"a": -zero}).differing == 2
    assert weight_difference("weights", {"a": nan}, {"a": nan.copy()}) is None


def test_integers_are_compared_too_and_scalars():
    assert weight_difference("state", {"a": np.array(3)}, {"a": np.array(5)}).largest == 2


def test_arrays_that_only_one_run_has_differ_whole():
    array = np.zeros(4)
    (found,) = differences({"weights": {"a": array}}, {"weights": {"a": array}, "optimizer state": {"b": array}})
    assert (found.group, found.differing, found.values) == ("optimizer state", 4, 4)


def test_arrays_of_a_checkpoint_are_grouped_by_what_they_are():
    arrays = {"model/0": np.zeros(1), "optimizer0/1": np.zeros(1), "callback0/best_weights/0": np.zeros(1)}
    found = grouped(arrays, {"model/": "weights", "optimizer": "optimizer state"})
    assert {title: list(group) for title, group in found.items()} == {
        "weights": ["model/0"],
        "optimizer state": ["optimizer0/1"],
        "other state": ["callback0/best_weights/0"],
    }


def test_a_keras_file_gives_every_weight_and_the_optimizer(digits_run):
    arrays = keras_file_arrays(digits_run.model_file("last"))
    assert sorted(a.shape for n, a in arrays.items() if n.startswith("layers")) == [(10,), (16,), (16, 10), (64, 16)]
    assert any(name.startswith("optimizer") for name in arrays)


def test_a_file_that_is_no_keras_file_is_told(tmp_path):
    (tmp_path / "best.keras").write_bytes(b"PK")
    with pytest.raises(RunDirError, match="is damaged"):
        keras_file_arrays(tmp_path / "best.keras")
