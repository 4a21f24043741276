"""What holds for every split, whatever the rows, the options and the seed."""

from fractions import Fraction

import numpy as np
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from dlrun.config.schema import Split
from dlrun.data._splits import Rows, split_rows
from dlrun.errors import DataError

KINDS = ("head", "shuffled", "stratified", "grouped", "time")
COLUMNS = {"grouped": {"group": "patient"}, "time": {"time": "day"}}
quick = settings(max_examples=25, deadline=None)


@st.composite
def row_sets(draw, least=12, most=60):
    """Rows with classes of at least three rows, groups and times."""
    count = draw(st.integers(least, most))
    classes = draw(st.integers(1, 3))
    groups = draw(st.integers(2, count))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = np.concatenate([np.repeat(np.arange(classes), 3), random.integers(0, classes, count - 3 * classes)])
    patients = np.array([f"p{k}" for k in random.integers(0, groups, count)], object)
    days = random.integers(0, count, count).astype(float)  # some days have several rows
    return Rows(count, random.permutation(labels), columns={"patient": patients, "day": days})


def wishes(most):
    return st.integers(3, most) | st.floats(0.1, 0.4)


seeds = st.integers(0, 2**31 - 1)
kinds = st.sampled_from(KINDS)


def split(rows, kind, seed, **options):
    """The parts of the rows; an impossible wish is no case."""
    try:
        found = split_rows(rows, Split(kind=kind, **COLUMNS.get(kind, {}), **options).model_dump(), seed)
    except DataError:
        reject()
    return {name: found.indices.get(name, np.arange(0)) for name in ("training", "validation", "test")}


def wanted(wish, available):
    return wish if isinstance(wish, int) else round(wish * available)


def all_rows(parts):
    return sorted(np.concatenate(list(parts.values())).tolist())


@quick
@given(row_sets(), kinds, seeds, wishes(4) | st.just(0), wishes(4) | st.just(0))
def test_each_row_is_in_one_part_and_each_part_has_the_size_that_was_asked_for(rows, kind, seed, validation, test):
    parts = split(rows, kind, seed, validation=validation, test=test)
    assert all_rows(parts) == list(range(rows.count))
    if kind != "grouped":
        assert len(parts["test"]) == wanted(test, rows.count)
        assert len(parts["validation"]) == wanted(validation, rows.count - len(parts["test"]))


@quick
@given(row_sets(), kinds, seeds, wishes(4), st.integers(1, 5))
def test_training_rows_that_are_not_wanted_are_in_no_part(rows, kind, seed, validation, training):
    parts = split(rows, kind, seed, validation=validation, training=training)
    others = split(rows, kind, seed, validation=validation)
    assert len(parts["training"]) == training or kind == "grouped"
    assert set(parts["training"]) <= set(others["training"])
    assert all(np.array_equal(parts[name], others[name]) for name in ("validation", "test"))


@quick
@given(
    row_sets(),
    kinds,
    seeds,
    wishes(4),
    st.none() | st.fixed_dictionaries({"index": st.integers(0, 2), "n_splits": st.just(3)}),
)
def test_equal_options_and_seeds_give_equal_parts(rows, kind, seed, validation, fold):
    first, second = (split(rows, kind, seed, validation=validation, fold=fold) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


@quick
@given(row_sets(), seeds, wishes(6), wishes(6))
def test_stratified_parts_have_the_share_of_each_class_to_within_one_row(rows, seed, validation, test):
    parts = split(rows, "stratified", seed, validation=validation, test=test)
    pool = np.arange(rows.count)
    for name in ("test", "validation"):
        assert_same_shares(rows.classes[pool], rows.classes[parts[name]])
        pool = np.setdiff1d(pool, parts[name])


def assert_same_shares(all_classes, part):
    for label, count in zip(*np.unique(all_classes, return_counts=True), strict=True):
        share = Fraction(len(part) * int(count), len(all_classes))
        assert abs(int((part == label).sum()) - share) < 1


@quick
@given(row_sets(), seeds, wishes(6), wishes(6))
def test_a_group_is_in_one_part_only(rows, seed, validation, test):
    parts = split(rows, "grouped", seed, validation=validation, test=test)
    assert_groups_apart(rows, parts.values())


def assert_groups_apart(rows, parts):
    groups = [set(rows.columns["patient"][part]) for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups))


@quick
@given(row_sets(), seeds, wishes(6), wishes(6))
def test_time_goes_on_from_training_to_validation_to_test(rows, seed, validation, test):
    parts = split(rows, "time", seed, validation=validation, test=test)
    days = rows.columns["day"]
    order = np.concatenate([parts["training"], parts["validation"], parts["test"]])
    assert order.tolist() == sorted(range(rows.count), key=lambda row: (days[row], row))


@quick
@given(row_sets(), st.sampled_from(["head", "shuffled", "stratified", "grouped"]), seeds, st.integers(2, 3), wishes(4))
def test_the_folds_divide_the_rows_that_do_not_test(rows, kind, seed, n_splits, test):
    folds = [split(rows, kind, seed, test=test, fold={"index": k, "n_splits": n_splits}) for k in range(n_splits)]
    rest = np.setdiff1d(np.arange(rows.count), folds[0]["test"])
    held_out = [fold["validation"] for fold in folds]
    assert sorted(np.concatenate(held_out).tolist()) == rest.tolist()
    assert all(all_rows(fold) == list(range(rows.count)) for fold in folds)
    assert all(np.array_equal(fold["test"], folds[0]["test"]) for fold in folds)
    if kind == "grouped":
        assert_groups_apart(rows, [*held_out, folds[0]["test"]])
    else:
        assert max(map(len, held_out)) - min(map(len, held_out)) <= 1
    if kind == "stratified":
        for part in held_out:
            assert_same_shares(rows.classes[rest], rows.classes[part])


@quick
@given(row_sets(), seeds, st.integers(2, 3), wishes(4))
def test_a_fold_in_time_is_validated_on_what_comes_next(rows, seed, n_splits, test):
    folds = [split(rows, "time", seed, test=test, fold={"index": k, "n_splits": n_splits}) for k in range(n_splits)]
    for fold, following in zip(folds, [*folds[1:], None], strict=True):
        seen = [*fold["training"], *fold["validation"]]
        assert seen == following["training"].tolist() if following else len(seen) + len(fold["test"]) == rows.count
