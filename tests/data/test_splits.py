import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._splits import Rows, split_rows
from dlrun.errors import DataError

CLASSES = np.array([0] * 60 + [1] * 30 + [2] * 10)
PATIENTS = np.repeat([f"p{k}" for k in range(20)], 5).astype(object)
ROWS = Rows(100, CLASSES, columns={"patient": PATIENTS, "day": np.arange(100)[::-1].astype(float)})
KINDS = [
    {"kind": "head"},
    {"kind": "shuffled"},
    {"kind": "stratified"},
    {"kind": "grouped", "group": "patient"},
    {"kind": "time", "time": "day"},
]


def split(rows, options, seed=1):
    return split_rows(rows, Split(**options).model_dump(), seed)


def indices(options, rows=ROWS, seed=1):
    return split(rows, options, seed).indices


@pytest.mark.parametrize("options", KINDS, ids=lambda options: options["kind"])
def test_every_row_is_in_exactly_one_part(options):
    parts = indices(options)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(100))
    assert {name: len(rows) for name, rows in parts.items()} == {"training": 64, "validation": 16, "test": 20} or (
        options["kind"] == "grouped" and len(parts["test"]) == 20
    )


@pytest.mark.parametrize("options", KINDS, ids=lambda options: options["kind"])
def test_the_same_options_and_seed_give_the_same_rows(options):
    first, second = indices(options, seed=7), indices(options, seed=7)
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["shuffled", "stratified"])
def test_another_seed_gives_other_rows(kind):
    assert not np.array_equal(indices({"kind": kind}, seed=1)["test"], indices({"kind": kind}, seed=2)["test"])


@pytest.mark.parametrize("options", KINDS, ids=lambda options: options["kind"])
def test_fewer_rows_may_train_while_the_other_parts_stay(options):
    whole, some, few = (indices({**options, "training": count}) for count in (None, 30, 10))
    assert (len(some["training"]), len(few["training"])) == (30, 10)
    assert set(few["training"]) < set(whole["training"])
    for part in ("validation", "test"):
        np.testing.assert_array_equal(few[part], whole[part])
    if options["kind"] != "stratified":
        assert set(few["training"]) < set(some["training"])  # so that runs with more and more rows can be compared
    assert split(ROWS, {**options, "training": 10}).notes == [
        f"10 of {len(whole['training'])} rows train (split.training); the others are not used"
    ]


@pytest.mark.parametrize("count", [64, 65, 0, 1.5])
def test_no_more_rows_train_than_there_are(count):
    with pytest.raises(DataError) as caught:
        split(ROWS, {"training": count})
    assert caught.value.problems[0].key == ("split", "training")


def test_head_takes_validation_from_the_front_and_test_from_the_end():
    parts = indices({"kind": "head", "validation": 10, "test": 5})
    assert parts["validation"].tolist() == list(range(10))
    assert parts["training"].tolist() == list(range(10, 95))
    assert parts["test"].tolist() == list(range(95, 100))


def test_head_leaves_the_dataset_s_own_test_part_alone():
    rows = Rows(100, parts={"test": np.arange(80, 100)})
    parts = indices({"kind": "head", "validation": 30}, rows)
    assert (parts["validation"][-1], parts["training"][0], len(parts["training"])) == (29, 30, 50)
    assert parts["test"].tolist() == list(range(80, 100))


def test_stratified_parts_have_the_class_shares_of_all_rows():
    for rows in indices({"kind": "stratified", "validation": 0.25}).values():
        assert np.bincount(CLASSES[rows]) / len(rows) == pytest.approx([0.6, 0.3, 0.1], abs=0.02)


def test_a_group_stays_in_one_part():
    parts = indices({"kind": "grouped", "group": "patient"})
    groups = [set(PATIENTS[rows]) for rows in parts.values()]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_time_trains_on_the_earliest_rows_and_tests_on_the_latest():
    parts = indices({"kind": "time", "time": "day"})
    day = ROWS.columns["day"]
    assert day[parts["training"]].max() < day[parts["validation"]].min()
    assert day[parts["validation"]].max() < day[parts["test"]].min()
    assert (np.diff(day[parts["training"]]) > 0).all()


def test_time_without_a_column_is_row_order():
    assert indices({"kind": "time"})["test"].tolist() == list(range(80, 100))


def test_validation_zero_trains_on_all_that_is_not_test():
    parts = indices({"kind": "shuffled", "validation": 0})
    assert set(parts) == {"training", "test"}
    assert np.array_equal(parts["test"], indices({"kind": "shuffled"})["test"])
    assert len(parts["training"]) == 80


def test_validation_test_validates_on_the_test_rows_and_says_so():
    found = split(ROWS, {"kind": "head", "validation": "test"})
    assert np.array_equal(found.indices["validation"], found.indices["test"])
    assert "no honest estimate" in found.notes[0]


def test_auto_is_given_then_stratified_then_shuffled():
    given = Rows(100, CLASSES, parts={"validation": np.arange(5), "test": np.arange(5, 15)})
    assert split(given, {}).kind == "given"
    assert split(ROWS, {}).kind == "stratified"
    assert split(Rows(100), {}).kind == "shuffled"


def test_auto_does_not_stratify_a_class_that_is_too_small():
    found = split(Rows(100, np.array([0] * 98 + [1] * 2)), {})
    assert (found.kind, found.notes) == (
        "shuffled",
        ["the smallest class has 2 rows: the split is shuffled, not stratified"],
    )


def test_given_uses_the_dataset_s_own_parts():
    rows = Rows(100, CLASSES, parts={"validation": np.arange(5), "test": np.arange(5, 15)})
    parts = indices({"kind": "given"}, rows)
    assert parts["validation"].tolist() == list(range(5))
    assert parts["test"].tolist() == list(range(5, 15))
    assert len(parts["training"]) == 85


def test_a_stated_test_share_pools_the_dataset_s_own_test_part():
    found = split(Rows(100, parts={"test": np.arange(90, 100)}), {"test": 0.3})
    assert len(found.indices["test"]) == 30
    assert "join the others" in found.notes[0]


@pytest.mark.parametrize("options", KINDS[:4], ids=lambda options: options["kind"])
def test_the_folds_hold_each_row_that_is_not_test_once(options):
    folds = [indices({**options, "fold": {"index": index, "n_splits": 4, "repeat": 0}}) for index in range(4)]
    held_out = np.concatenate([fold["validation"] for fold in folds])
    expected = np.concatenate([indices(options)["training"], indices(options)["validation"]])
    assert sorted(held_out) == sorted(expected)
    assert all(np.array_equal(fold["test"], folds[0]["test"]) for fold in folds)
    assert all(not set(fold["training"]) & set(fold["validation"]) for fold in folds)


def test_head_folds_are_contiguous():
    fold = indices({"kind": "head", "test": 20, "fold": {"index": 1, "n_splits": 4, "repeat": 0}})
    assert fold["validation"].tolist() == list(range(20, 40))


def test_time_folds_train_on_what_came_before():
    rows = Rows(100)
    fold = indices({"kind": "time", "test": 20, "fold": {"index": 2, "n_splits": 4, "repeat": 0}}, rows)
    assert fold["training"].tolist() == list(range(48))
    assert fold["validation"].tolist() == list(range(48, 64))


def test_a_repetition_reshuffles_the_folds():
    folds = [indices({"kind": "shuffled", "fold": {"index": 0, "n_splits": 4, "repeat": k}}) for k in (0, 1)]
    assert not np.array_equal(folds[0]["validation"], folds[1]["validation"])
    assert np.array_equal(folds[0]["test"], folds[1]["test"])


def test_auto_folds_fall_back_to_shuffled_for_a_small_class():
    rows = Rows(100, np.array([0] * 95 + [1] * 5))
    found = split(rows, {"fold": {"index": 0, "n_splits": 10, "repeat": 0}})
    assert found.kind == "shuffled"


GIVEN = Rows(60, CLASSES[30:90], parts={"validation": np.arange(10)})
WITH_TEST = Rows(60, CLASSES[30:90], parts={"validation": np.arange(10), "test": np.arange(50, 60)})
SMALL_CLASS = Rows(55, np.array([0] * 50 + [1] * 5))
SETTLED = {
    "a small class, many folds": (SMALL_CLASS, {"fold": {"index": 3, "n_splits": 10}}),
    "a small class, few folds": (SMALL_CLASS, {"fold": {"index": 1, "n_splits": 3}}),
    "a small class": (SMALL_CLASS, {}),
    "many classes": (Rows(300, np.repeat(np.arange(100), 3)), {}),
    "numbers": (Rows(50), {"fold": {"index": 0}}),
    "given": (GIVEN, {}),
    "given, folds": (GIVEN, {"fold": {"index": 0}}),
    "given, many folds": (GIVEN, {"fold": {"index": 0, "n_splits": 31}}),
    "given, test share": (GIVEN, {"test": 0.2}),
    "given with test, folds": (WITH_TEST, {"fold": {"index": 2}}),
    "given kind, folds": (GIVEN, {"kind": "given", "fold": {"index": 1}}),
    "given with test, pooled": (WITH_TEST, {"kind": "given", "test": 12}),
}


@pytest.mark.parametrize("case", SETTLED)
def test_the_returned_kind_gives_the_same_rows_again(case):
    rows, options = SETTLED[case]
    first = split(rows, options)
    again = split(rows, options | {"kind": first.kind})
    assert again.kind == first.kind
    assert {name: part.tolist() for name, part in first.indices.items()} == {
        name: part.tolist() for name, part in again.indices.items()
    }
    assert sorted(np.concatenate(list(first.indices.values()))) == list(range(rows.count))


def test_given_validation_rows_do_not_test():
    parts = indices({"kind": "given", "test": 0.5}, GIVEN)
    assert parts["validation"].tolist() == list(range(10))
    assert (len(parts["test"]), parts["test"].min() >= 10) == (30, True)


def test_given_validation_rows_leave_too_few_to_test():
    with pytest.raises(DataError, match=r"split\.test asks for 50 rows, but 10 of 60 are the validation part"):
        split(GIVEN, {"kind": "given", "test": 50})


def test_given_parts_have_no_test_part_in_folds_either():
    assert set(indices({"fold": {"index": 0}}, GIVEN)) == {"training", "validation"}


def test_auto_shuffles_with_a_note_where_stratified_fails():
    found = split(Rows(300, np.repeat(np.arange(100), 3)), {})
    assert (found.kind, found.notes) == (
        "shuffled",
        ["100 classes do not fit into 60 rows: the split is shuffled, not stratified"],
    )


IMPOSSIBLE = [
    (
        {"validation": 80, "kind": "head"},
        "validation",
        "split.validation asks for 80 rows, but there are only 80 to divide",
    ),
    ({"validation": 1.0}, "validation", "split.validation is no share"),
    ({"validation": 1.5}, "validation", "split.validation is no share"),
    ({"validation": 0.001}, "validation", "split.validation gives no row at all"),
    ({"validation": -3}, "validation", "split.validation asks for -3 rows"),
    ({"test": 100}, "test", "split.test asks for 100 rows, but there are only 100 to divide"),
    ({"test": 0, "validation": "test"}, "validation", "there is no test part"),
    ({"kind": "given"}, "kind", "the dataset has no validation part of its own"),
    ({"kind": "grouped"}, "group", "kind: grouped needs the column"),
    ({"kind": "grouped", "group": "pateint"}, "group", "there is no column 'pateint'"),
    ({"kind": "time", "time": "date"}, "time", "there is no column 'date'"),
    ({"kind": "stratified", "validation": 2}, "validation", "3 classes do not fit into 2 rows"),
    ({"kind": "shuffled", "fold": {"index": 4, "n_splits": 4}}, "fold", "fold 4 is not one of 4 folds"),
    (
        {"kind": "stratified", "fold": {"index": 0, "n_splits": 9}},
        "fold",
        "9 folds need at least 9 rows in the smallest class; there are 8",
    ),
    ({"kind": "head", "fold": {"index": 0, "n_splits": 81}}, "fold", "81 folds need at least 81 rows; there are 80"),
    ({"kind": "time", "fold": {"index": 0, "n_splits": 80}}, "fold", "80 folds need at least 81 rows; there are 80"),
    ({"kind": "head", "fold": {"index": 0, "n_splits": 4, "repeat": 1}}, "fold", "are the same in every repetition"),
    (
        {"kind": "grouped", "group": "patient", "fold": {"index": 0, "n_splits": 17}},
        "fold",
        "17 folds need at least 17 groups; there are 16",
    ),
]


@pytest.mark.parametrize(("options", "key", "message"), IMPOSSIBLE)
def test_an_impossible_wish_names_its_key(options, key, message):
    with pytest.raises(DataError) as caught:
        split(ROWS, options)
    assert message in str(caught.value)
    assert caught.value.problems[0].key[:2] == ("split", key)


def test_a_misspelt_column_gets_a_hint():
    with pytest.raises(DataError, match="did you mean patient"):
        split(ROWS, {"kind": "grouped", "group": "pateint"})


def test_a_class_with_one_row_cannot_be_stratified():
    with pytest.raises(DataError, match="class 1 has only one row, which cannot be in two parts"):
        split(Rows(50, np.array([0] * 49 + [1])), {"kind": "stratified"})


def test_numbers_cannot_be_stratified():
    with pytest.raises(DataError, match="only rows with one class each can be stratified"):
        split(Rows(50), {"kind": "stratified"})


def test_one_group_cannot_be_divided():
    rows = Rows(10, columns={"patient": np.array(["a"] * 10, object)})
    with pytest.raises(DataError, match="one group alone cannot be divided for test"):
        split(rows, {"kind": "grouped", "group": "patient"})
