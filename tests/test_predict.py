import csv

import numpy as np
import pytest
import sklearn.datasets

from dlrun.config.loading import load_config
from dlrun.errors import DataError
from dlrun.predict import predict, prediction_values
from dlrun.spec import Task


@pytest.fixture(scope="module")
def raw_rows(tmp_path_factory):
    """The first five digits as rows of 64 numbers, without labels."""
    path = tmp_path_factory.mktemp("raw") / "rows.csv"
    np.savetxt(path, sklearn.datasets.load_digits().data[:5], fmt="%d", delimiter=",")
    return path


def test_raw_rows_and_rows_of_a_split_give_the_same_predictions(digits_run, raw_rows):
    config = load_config(digits_run.config_file)
    raw = predict(digits_run, config, [str(raw_rows)])
    assert len(raw.rows) == 5
    known = {
        row["input"]: row
        for split in ("training", "validation", "test")
        for row in predict(digits_run, config, split=split).rows
    }
    for number, row in enumerate(raw.rows, 1):
        assert row["prediction"] == known[f"row {number}"]["prediction"]
        assert row["probability"] == pytest.approx(known[f"row {number}"]["probability"], abs=1e-5)


def test_predictions_are_kept_as_csv_and_are_no_reading_of_test(digits_run):
    found = predict(digits_run, load_config(digits_run.config_file))
    with found.file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(found.rows) == 359
    assert list(rows[0]) == ["input", "prediction", "probability"]
    assert digits_run.record()["test_readings"] == []


@pytest.mark.parametrize("text", ["1,2,3\n", "a,b\n" * 3, ""])
def test_rows_that_do_not_fit_are_refused(digits_run, tmp_path, text):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"wrong\.csv"):
        predict(digits_run, load_config(digits_run.config_file), [str(path)])


@pytest.mark.parametrize(
    ("task", "outputs", "expected"),
    [
        (Task("binary", ("no", "yes")), [[0.9], [0.2]], [("yes", 0.9), ("no", 0.8)]),
        (Task("multiclass", ("a", "b", "c")), [[0.1, 0.7, 0.2]], [("b", 0.7)]),
    ],
)
def test_classes_are_told_with_the_probability_of_what_is_predicted(task, outputs, expected):
    found = prediction_values(np.array(outputs), task)
    assert [(row["prediction"], row["probability"]) for row in found] == expected


def test_numbers_are_told_as_they_are():
    assert prediction_values(np.array([[1.5], [2.0]]), Task("regression")) == [{"prediction": 1.5}, {"prediction": 2.0}]
