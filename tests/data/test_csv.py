import csv as standard_csv

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.data.csv import csv
from dlrun.errors import DataError

ROWS = "".join(f"{k % 7},{'red' if k % 3 else 'blue'},{'yes' if k % 2 else 'no'}\n" for k in range(60))
SMALL = "size,colour,sold\n" + ROWS


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Writes `a.csv` and calls the builder on it."""
    monkeypatch.chdir(tmp_path)

    def build(text, further=None, **options):
        (tmp_path / "a.csv").write_text(text)
        if further is not None:
            (tmp_path / "b.csv").write_text(further)
            options["test_path"] = str(tmp_path / "b.csv")
        return csv(DataContext(), path=str(tmp_path / "a.csv"), **options)

    return build


def test_the_standard_library_s_csv_stays_reachable():
    assert standard_csv.reader([]) is not None


def test_columns_and_types_are_found(load):
    dataset = load(SMALL, target="sold")
    assert dataset.encoder.kinds == {"size": "numeric", "colour": "categorical"}
    assert dataset.tasks["sold"].kind == "binary"
    assert dataset.tasks["sold"].labels == ("no", "yes")
    assert dataset.targets["sold"].dtype == "float32"
    assert dataset.targets["sold"][:4].tolist() == [0, 1, 0, 1]


def test_the_same_columns_without_a_header(load):
    dataset = load(ROWS, target=-1)
    assert dataset.encoder.kinds == {"column_1": "numeric", "column_2": "categorical"}
    assert list(dataset.tasks) == ["column_3"]
    assert list(load(ROWS, target=3).tasks) == ["column_3"]


def test_the_positive_label_can_be_chosen(load):
    dataset = load(SMALL, target="sold", positive="no")
    assert dataset.tasks["sold"].labels == ("yes", "no")
    assert dataset.targets["sold"][:2].tolist() == [1, 0]


def test_types_can_be_overruled_and_columns_dropped(load):
    dataset = load(SMALL, target="sold", columns={"size": "categorical"}, drop=["colour"])
    assert dataset.encoder.kinds == {"size": "categorical"}
    assert load(SMALL, target=3, columns={"size": "ignore"}).encoder.kinds == {"colour": "categorical"}


def test_row_numbers_and_free_text_are_ignored_with_a_note(load):
    rows = "".join(f"{k + 1},passenger {k},{k % 5},{k % 2}\n" for k in range(50))
    dataset = load("id,name,size,sold\n" + rows, target="sold")
    assert dataset.encoder.kinds == {"size": "numeric"}
    assert dataset.notes == [
        "column 'id' is ignored: it numbers the rows; to use it: data.columns: {id: numeric}",
        "column 'name' is ignored: 50 different texts in 50 rows; to use it: data.columns: {name: categorical}",
    ]


def test_numbers_of_thousands_of_digits_are_told(load):
    with pytest.raises(DataError, match=r":2: column id: '9{12}\.\.\.9{11}00' is no finite number\n"):
        load("id,sold\n" + "".join(f"{'9' * 6000}{k:02},{k % 2}\n" for k in range(30)), target="sold")


def test_whole_numbers_with_few_values_are_classes_with_a_note(load):
    text = "size,grade\n" + "".join(f"{k},{k % 3 + 3}\n" for k in [*range(40), 40, 40])
    dataset = load(text, target="grade")
    assert dataset.tasks["grade"].labels == ("3", "4", "5")
    assert dataset.notes == ["the target 'grade' is read as 3 classes; for numbers: data.task: regression"]
    assert load(text, target="grade", task="regression").tasks["grade"].kind == "regression"


def test_a_regression_target_is_scaled_unless_told_otherwise(load):
    text = "size,price\n" + "".join(f"{k % 9},{k * 1.5}\n" for k in range(40))
    assert load(text, target="price").scale_targets
    assert not load(text, target="price", scale_target=False).scale_targets


def test_several_targets_are_one_regression_or_one_multilabel_task(load):
    text = "size,a,b\n" + "".join(f"{k % 9},{k * 1.5},{k % 4}\n" for k in range(40))
    dataset = load(text, target=["a", "b"])
    assert dataset.tasks["targets"].outputs == 2
    assert dataset.targets["targets"].shape == (40, 2)
    flags = "size,a,b\n" + "".join(f"{k % 9},{k % 2},{k % 3 // 2}\n" for k in range(40))
    dataset = load(flags, target=["a", "b"])
    assert dataset.tasks["targets"].kind == "multilabel"
    assert dataset.tasks["targets"].labels == ("a", "b")


def test_a_test_file_becomes_the_test_part_and_full_stops_are_read(load):
    dataset = load(SMALL, "size,colour,sold\n1,green,yes.\n2,red,no.\n", target="sold")
    assert dataset.parts["test"].tolist() == [60, 61]
    assert dataset.targets["sold"][60:].tolist() == [1, 0]
    assert dataset.notes == ["b.csv: labels are read without their full stop: 'no.' as 'no', 'yes.' as 'yes'"]


def test_rows_without_target_can_be_left_out(load):
    dataset = load("size,sold\n1,yes\n2,\n3,no\n4,yes\n", target="sold", drop_missing_target=True)
    assert dataset.targets["sold"].tolist() == [1, 0, 1]
    assert dataset.raw["size"].tolist() == [1, 3, 4]
    assert dataset.notes == ["a.csv: 1 rows without target are left out"]


def test_statistics_come_from_the_training_rows_only(tmp_path):
    text = "size,sold\n" + "".join(f"{k if k >= 20 else 1000 + k},{k % 2}\n" for k in range(100))
    (tmp_path / "a.csv").write_text(text)
    prepared = prepare_data(
        "csv",
        {"path": str(tmp_path / "a.csv"), "target": "sold", "columns": {"size": "numeric"}},
        context=DataContext(),
        split=Split(kind="head", validation=20, test=20).model_dump(),
        seed=1,
    )
    training = prepared.arrays["features"][prepared.splits["training"]]
    assert (training.mean(), training.std()) == pytest.approx((0, 1), abs=1e-6)
    assert prepared.arrays["features"][prepared.splits["validation"]].mean() > 10
    (step,) = (step for name, step in prepared.encoder.chains["numeric"].steps if name == "standardise")
    assert step.mean == pytest.approx([np.arange(20, 80).mean()])


BROKEN = {
    "misspelt target": (
        SMALL,
        {"target": "solt"},
        "error: a.csv: there is no column 'solt'\n  expected  size, colour, sold\n  hint      did you mean sold?",
    ),
    "a name without header": (
        ROWS,
        {"target": "sold"},
        "error: a.csv: there is no column 'sold'\n"
        "  expected  column_1, column_2, column_3\n"
        "  hint      the file has no header: give the column's number, such as -1 for the last one, "
        "or set header: true",
    ),
    "column 0": (
        SMALL,
        {"target": 0},
        "error: a.csv: there is no column 0\n  expected  1 to 3, or -1 for the last one",
    ),
    "no target": (SMALL, {"target": []}, "error: data.target names no column"),
    "unknown column to drop": (
        SMALL,
        {"target": "sold", "drop": ["color"]},
        "error: a.csv: there is no column 'color'\n  expected  size, colour, sold\n  hint      did you mean colour?",
    ),
    "text declared numeric": (
        SMALL,
        {"target": "sold", "columns": {"colour": "numeric"}},
        "error: a.csv:2: column colour: 'blue' is no number\n"
        "  hint      add it to data.missing if it means that nothing is there, "
        "or set data.columns: {colour: categorical}",
    ),
    "an infinite number": (
        "size,sold\n1,yes\ninf,no\n2,yes\n",
        {"target": "sold"},
        "error: a.csv:3: column size: 'inf' is no finite number\n"
        "  hint      add it to data.missing if it means that nothing is there, "
        "or set data.columns: {size: categorical}",
    ),
    "an empty column": (
        "size,colour,sold\n1,,yes\n2,NA,no\n",
        {"target": "sold"},
        "error: a.csv: column 'colour' has no value in any row\n"
        "  received  2 missing values\n"
        "  hint      leave it out: data.drop: [colour]",
    ),
    "a missing target": (
        "size,sold\n1,yes\n2,\n3,no\n4,?\n",
        {"target": "sold"},
        "error: a.csv:3: column sold: the target is missing in 2 rows\n"
        "  received  this is the first of them\n"
        "  hint      set data.drop_missing_target: true to leave these rows out",
    ),
    "no target at all": (
        "size,sold\n1,\n2,\n",
        {"target": "sold"},
        "error: a.csv: the target sold is missing in every row",
    ),
    "one class of text": (
        "size,sold\n1,yes\n2,yes\n",
        {"target": "sold"},
        "error: a.csv: all rows have the same target sold: 'yes'\n  expected  at least two classes",
    ),
    "one class of numbers": (
        "size,sold\n1,1\n2,1\n",
        {"target": "sold"},
        "error: a.csv: all rows have the same target sold: '1'",
    ),
    "free text as target": (
        "size,name\n" + "".join(f"{k % 7},passenger {k}\n" for k in range(30)),
        {"target": "name"},
        "error: a.csv: the target name has 30 different values in 30 rows\n"
        "  received  'passenger 0', 'passenger 1', 'passenger 10', ...\n"
        "  hint      is this the right column? each class needs several rows",
    ),
    "three classes for two": (
        "size,grade\n" + "".join(f"{k},{'abc'[k % 3]}\n" for k in (1, 2, 3, 3, 5, 6)),
        {"target": "grade", "task": "binary"},
        "error: a.csv: the target grade has 3 different values, not two\n"
        "  received  a, b, c\n"
        "  hint      task: multiclass",
    ),
    "text for regression": (
        "size,price\n1,2.5\n2,cheap\n3,1.5\n",
        {"target": "price", "task": "regression"},
        "error: a.csv:3: column price: 'cheap' is no number\n"
        "  hint      add it to data.missing if it means that nothing is there, "
        "or choose another data.task",
    ),
    "unknown positive label": (
        SMALL,
        {"target": "sold", "positive": "yess"},
        "error: there is no label 'yess'\n  expected  no, yes\n  hint      did you mean yes?",
    ),
    "one column for multilabel": (
        SMALL,
        {"target": "sold", "task": "multilabel"},
        "error: task: multilabel needs several target columns",
    ),
    "several columns for binary": (
        SMALL,
        {"target": ["size", "sold"], "task": "binary"},
        "error: task: binary has one target column\n"
        "  received  size, sold\n"
        "  expected  multilabel (columns of 0 and 1) or regression for several",
    ),
    "other numbers for multilabel": (
        SMALL,
        {"target": ["size", "sold"], "task": "multilabel"},
        "error: a.csv: the columns of a multilabel target hold 0 and 1 only",
    ),
    "nothing left": (
        SMALL,
        {"target": "sold", "drop": ["size", "colour"]},
        "error: a.csv: no column is left as input",
    ),
    "a test file without target": (
        SMALL,
        {"target": "sold", "further": "size,colour\n1,red\n"},
        "error: b.csv: the target 'sold' is missing, so this file cannot be the test part\n"
        "  hint      remove data.test_path; after training, `dlrun predict` takes the file",
    ),
    "a test file without a column": (
        SMALL,
        {"target": "sold", "further": "size,color,sold\n1,red,yes\n"},
        "error: b.csv: the column 'colour' is missing\n  received  size, color, sold\n  hint      did you mean color?",
    ),
    "a new label in the test file": (
        SMALL,
        {"target": "sold", "further": "size,colour,sold\n1,red,yes\n1,red,maybe\n"},
        "error: b.csv:3: column sold: the label 'maybe' does not occur in training\n  expected  no, yes",
    ),
    "text in a numeric column of the test file": (
        SMALL,
        {"target": "sold", "further": "size,colour,sold\nbig,red,yes\n"},
        "error: b.csv:2: column size: 'big' is no number\n"
        "  hint      add it to data.missing if it means that nothing is there, "
        "or set data.columns: {size: categorical}",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_told_exactly(load, tmp_path, name):
    text, options, expected = BROKEN[name]
    with pytest.raises(DataError) as caught:
        load(text, **options)
    assert str(caught.value).replace(f"{tmp_path}/", "") == expected


def test_there_is_no_stand_in_for_the_user_s_own_file():
    with pytest.raises(DataError, match="no generated stand-in for your own csv file"):
        csv(DataContext(sample=True), path="a.csv", target=1)


REAL = [
    ("titanic/train.csv", {"target": "Survived"}, "binary", 891, 7),
    ("california_housing/housing.csv.gz", {"target": "median_house_value"}, "regression", 20640, 9),
    ("boston_housing/BostonHousing.csv", {"target": "medv"}, "regression", 506, 13),
    ("boston_housing/housing.data", {"target": -1}, "regression", 506, 13),
    ("pima_diabetes/pima-indians-diabetes.csv", {"target": -1}, "binary", 768, 8),
    ("adult/adult-train.csv.gz", {"target": -1, "test_path": "adult/adult-test.csv.gz"}, "binary", 48842, 14),
]


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize(("path", "options", "task", "rows", "columns"), REAL)
def test_real_files_are_understood(path, options, task, rows, columns):
    dataset = csv(DataContext(), path=path, **options)
    (found,) = dataset.tasks.values()
    assert (found.kind, dataset.rows, len(dataset.encoder.kinds)) == (task, rows, columns)
