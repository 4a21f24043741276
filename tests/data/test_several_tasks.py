"""Data with several tasks: what each dataset makes of it, and what splits, scales and fingerprints do with them."""

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.data.csv import csv
from dlrun.data.npz import npz
from dlrun.errors import DataError

ROWS = "".join(f"{k},{k % 7},{20 + k / 4},{'lmh'[k % 3]},{'fm'[k % 10 == 0]}\n" for k in range(60))
PEOPLE = "number,size,age,income,gender\n" + ROWS
TARGET = {"age": "regression", "income": "multiclass", "gender": "auto"}
RANDOM = np.random.default_rng(1)
ARRAYS = {"x": RANDOM.normal(size=(40, 3)), "a": RANDOM.normal(size=40), "b": np.arange(40) % 3}


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return str(path)


@pytest.fixture
def arrays(tmp_path):
    """Writes an .npz file and gives its path."""

    def write(**found):
        np.savez(tmp_path / "a.npz", **found)
        return str(tmp_path / "a.npz")

    return write


def prepared(name, **options):
    return prepare_data(name, options, context=DataContext(), split=Split().model_dump(), seed=1)


def test_csv_has_a_task_for_each_column_of_a_mapping_and_keeps_all_of_them_out_of_the_inputs(people):
    dataset = csv(DataContext(), path=people, target=TARGET, drop=["number"])
    assert {name: task.kind for name, task in dataset.tasks.items()} == {
        "age": "regression",
        "income": "multiclass",
        "gender": "binary",
    }
    assert dataset.encoder.kinds == {"size": "numeric"}
    assert dataset.targets["age"][:2].tolist() == [20, 20.25]
    assert [dataset.tasks["income"].labels[code] for code in dataset.targets["income"][:3]] == ["l", "m", "h"]


def test_columns_of_a_mapping_may_be_numbers_and_one_is_enough(people):
    assert list(csv(DataContext(), path=people, target={-1: "binary"}, drop=["number"]).tasks) == ["gender"]
    assert list(csv(DataContext(), path=people, target={3: "auto", -2: "auto"}).tasks) == ["age", "income"]


def test_the_positive_label_is_that_of_the_task_which_has_it(people):
    tasks = csv(DataContext(), path=people, target=TARGET, positive="f").tasks
    assert tasks["gender"].labels == ("m", "f")
    assert tasks["income"].labels == ("h", "l", "m")


def test_rows_that_lack_one_target_are_left_out_of_all(tmp_path):
    (tmp_path / "a.csv").write_text(PEOPLE + "60,1,,l,f\n61,1,30,,f\n")
    data = csv(DataContext(), path=str(tmp_path / "a.csv"), target=TARGET, drop_missing_target=True)
    assert {len(values) for values in [*data.targets.values(), *data.raw.values()]} == {60}
    assert "a.csv: 2 rows without target are left out" in data.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": TARGET, "task": "regression"}, "data.target has a task for each column, and data.task is there"),
        ({"target": TARGET, "positive": "x"}, "no target has the label 'x'"),
        ({"target": {"age": "auto", 3: "auto"}}, "data.target names a column twice"),
        ({"target": {}}, "data.target names no column"),
        ({"target": {"income": "binary"}}, "the target income has 3 different values, not two"),
        ({"target": {"incom": "auto"}}, "there is no column 'incom'"),
    ],
)
def test_targets_that_contradict_themselves_are_refused(people, options, message):
    with pytest.raises(DataError, match=message):
        csv(DataContext(), path=people, **options)


def test_rows_are_stratified_by_the_first_task_that_has_classes(people):
    by_income = prepared("csv", path=people, target=TARGET)
    assert by_income.split_kind == "stratified"
    parts = [np.bincount(by_income.targets["income"][rows]) for rows in by_income.splits.values()]
    assert all(np.ptp(counts) <= 1 for counts in parts)
    by_gender = prepared("csv", path=people, target={"age": "regression", "gender": "binary", "income": "auto"})
    assert [by_gender.targets["gender"][by_gender.splits[part]].sum() for part in ("validation", "test")] == [1, 1]


def test_each_number_has_a_scale_of_its_own_and_classes_have_none(people):
    data = prepared("csv", path=people, target={"age": "regression", "size": "regression", "gender": "binary"})
    assert set(data.target_scales) == {"age", "size"}
    for name in ("age", "size"):
        values = data.targets[name][data.splits["training"]]
        assert values.mean() == pytest.approx(0, abs=1e-5)
        assert values.std() == pytest.approx(1, abs=1e-5)
    assert set(np.unique(data.targets["gender"])) == {0, 1}


def test_the_fingerprint_counts_the_classes_of_each_task_and_sees_each_target(people, tmp_path):
    first = prepared("csv", path=people, target=TARGET).fingerprint
    assert set(first["classes"]) == {"income", "gender"}
    (tmp_path / "b.csv").write_text(PEOPLE.replace(",20.0,", ",21.0,"))
    assert first["content"] != prepared("csv", path=str(tmp_path / "b.csv"), target=TARGET).fingerprint["content"]


def test_a_task_whose_training_rows_are_of_one_class_is_named(people):
    split = Split(kind="head", validation=1, test=0.9).model_dump()
    with pytest.raises(DataError, match="training rows belong to one class of gender, 'f'"):
        prepare_data("csv", {"path": people, "target": TARGET}, context=DataContext(), split=split, seed=1)


def test_npz_has_a_task_for_each_of_a_list_of_targets(arrays):
    data = prepared("npz", path=arrays(**ARRAYS), inputs="x", target=["a", "b"])
    assert {name: task.kind for name, task in data.spec.tasks.items()} == {"a": "regression", "b": "multiclass"}
    np.testing.assert_allclose(data.original_targets["a"], ARRAYS["a"], rtol=1e-6)
    assert data.notes == []


def test_the_parts_of_several_targets_go_together(arrays):
    halves = {
        f"{name}_{part}": values[rows]
        for name, values in ARRAYS.items()
        for part, rows in (("train", slice(30)), ("test", slice(30, None)))
    }
    data = prepared("npz", path=arrays(**halves), inputs="x", target=["b", "a"])
    np.testing.assert_array_equal(data.original_targets["b"][data.splits["test"]], ARRAYS["b"][30:])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"target": ["a", "a"]}, "data.target names an array twice"),
        ({}, {"target": []}, "data.target names no array"),
        ({}, {"target": ["a", "x"]}, "the array x is an input and a target"),
        ({}, {"target": ["a", "c"]}, "there is no array c"),
        ({"b": np.arange(39)}, {"target": ["a", "b"]}, "b and a have not one row for each other"),
        ({}, {"target": ["a", "b"], "labels": ["u", "v", "w"]}, "data.labels names the classes of one target"),
    ],
)
def test_arrays_that_are_no_targets_together_are_refused(arrays, change, options, message):
    with pytest.raises(DataError, match=message):
        npz(DataContext(), path=arrays(**{**ARRAYS, **change}), inputs="x", **options)


def test_an_array_of_ids_says_how_many_there_are_and_stays_whole():
    data = prepared("question_answers", rows=60)
    assert [spec.vocabulary_size for spec in data.spec.inputs.values()] == [500, 500]
    assert data.arrays["text"].dtype == "uint16"
    again = type(data.encoder).from_state(data.encoder.get_state())
    batch = again.batch(data.arrays, np.array([3, 1]))
    np.testing.assert_array_equal(batch["question"], data.arrays["question"][[3, 1]])
    with pytest.raises(DataError, match="500 is no value of text"):
        again.read_values({"text": np.full((1, 40), 500), "question": np.ones((1, 12))})


@pytest.mark.parametrize(
    ("name", "options"),
    [("social_posts", {"people": 5}), ("social_posts", {"num_words": 300}), ("question_answers", {"num_words": 9})],
)
def test_generated_data_that_could_tell_nothing_is_refused(name, options):
    with pytest.raises(DataError, match="is too small"):
        prepared(name, **options)
