import json

import numpy as np
import pytest

import dlrun
from dlrun.config.schema import Split
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.errors import DataError, PluginError
from dlrun.registry import DATASETS
from dlrun.spec import Task

SPLIT = Split().model_dump()

BINARY = Task("binary", labels=("no", "yes"))


@pytest.fixture
def prepare(monkeypatch):
    """Prepares a dataset of numbers 0, 1, 2, ... with the given targets and task."""

    def build(targets, task=BINARY, split=None, rows=None, **options):
        def numbers(context):
            raw = {"features": np.arange(len(targets) if rows is None else rows, dtype="float64").reshape(-1, 1)}
            encoder = ArrayEncoder("features", (1,), transforms=["standardise"])
            return Dataset("numbers", raw, {"target": targets}, encoder, {"target": task}, **options)

        monkeypatch.setitem(DATASETS._builders, "numbers", numbers)
        return prepare_data("numbers", {}, context=DataContext(), split=Split(**(split or {})).model_dump(), seed=1)

    return build


def test_digits_are_ready_for_training():
    prepared = prepare_data("digits", {}, context=DataContext(), split=SPLIT, seed=1)
    assert {name: len(rows) for name, rows in prepared.splits.items()} == {
        "training": 1150,
        "validation": 288,
        "test": 359,
    }
    assert (prepared.split_kind, prepared.spec.input.shape) == ("stratified", (64,))
    assert sum(prepared.fingerprint["classes"]["digit"]["training"].values()) == 1150
    json.dumps(prepared.fingerprint)


def test_the_seed_decides_the_split_and_nothing_else():
    options = {"context": DataContext(), "split": SPLIT}
    first, again, other = (prepare_data("digits", {}, seed=seed, **options) for seed in (1, 1, 2))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint["content"] == other.fingerprint["content"]
    assert first.fingerprint["split"] != other.fingerprint["split"]


def test_the_split_may_have_a_seed_of_its_own():
    options = {"context": DataContext(), "split": Split(seed=5).model_dump()}
    first, second = (prepare_data("digits", {}, seed=seed, **options) for seed in (1, 2))
    assert first.fingerprint["split"] == second.fingerprint["split"]


def test_the_fingerprint_does_not_know_the_place(tmp_path):
    marks = []
    for folder in ("one", "two"):
        path = tmp_path / folder / "a.csv"
        path.parent.mkdir()
        path.write_text("size,sold\n" + "".join(f"{k % 5},{k % 2}\n" for k in range(50)))
        options = {"path": str(path), "target": "sold"}
        marks.append(prepare_data("csv", options, context=DataContext(), split=SPLIT, seed=1).fingerprint)
    assert marks[0] == marks[1]
    assert str(tmp_path) not in json.dumps(marks)


def test_the_encoder_learns_from_the_training_rows_only(prepare):
    prepared = prepare(np.arange(10) % 2.0, split={"kind": "head", "validation": 4, "test": 2})
    training = prepared.arrays["features"][prepared.splits["training"]]
    assert training.mean() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(prepared.arrays["features"][0], (0 - 5.5) / np.std([4, 5, 6, 7]), rtol=1e-6)


def test_other_rows_cannot_leak_into_training(tmp_path):
    """Whatever the validation and test rows hold, the training rows look the same to the model."""
    found = []
    for other in ("3,red", "999,green", "?,blue"):
        rows = [f"{k % 7},{'red' if k % 3 else 'blue'},{k * 2}" for k in range(60)]
        rows[:10] = [f"{other},5"] * 10
        rows[50:] = [f"{other},7"] * 10
        (tmp_path / "a.csv").write_text("size,colour,price\n" + "\n".join(rows))
        options = {"path": str(tmp_path / "a.csv"), "target": "price", "task": "regression"}
        split = {"kind": "head", "validation": 10, "test": 10}
        prepared = prepare_data("csv", options, context=DataContext(), split=Split(**split).model_dump(), seed=1)
        training = prepared.splits["training"]
        found.append((prepared.arrays["features"][training].tolist(), prepared.target_scales))
    assert found[0] == found[1] == found[2]


def test_targets_are_scaled_by_the_training_rows_only(prepare):
    targets = np.arange(10, dtype="float32") * 100
    prepared = prepare(targets, Task("regression"), {"kind": "head", "validation": 4, "test": 2}, scale_targets=True)
    assert prepared.target_scales["target"].mean == (550.0,)
    np.testing.assert_allclose(prepared.target_scales["target"].invert(prepared.targets["target"]), targets, atol=1e-3)
    np.testing.assert_array_equal(prepared.original_targets["target"], targets)


def test_folds_are_known_by_their_index():
    split = {"kind": "stratified", "fold": {"index": 1, "n_splits": 3, "repeat": 0}}
    prepared = prepare_data("digits", {}, context=DataContext(), split=Split(**split).model_dump(), seed=1)
    assert len(prepared.splits["validation"]) == pytest.approx(1438 / 3, abs=1)


BROKEN = [
    (np.zeros(0), BINARY, {}, "the dataset numbers has no rows"),
    (np.zeros(10), BINARY, {}, "numbers: all rows belong to one class, 'no'"),
    (np.arange(10.0), BINARY, {}, "the target target holds class 9\n  expected  0 to 1, for 2 labels"),
    (np.array([0, 1, -1]), BINARY, {}, "the target target holds class -1"),
    (
        np.array([1.0, np.nan, np.inf]),
        Task("regression"),
        {},
        "is not a finite number in 2 rows\n  received  nan in row 2",
    ),
    (np.arange(3.0), Task("regression"), {"rows": 4}, "target has 3 rows, the data has 4"),
    (np.arange(10) % 2.0, BINARY, {"scale_targets": True}, "only regression targets can be scaled"),
    (
        np.repeat([0.0, 1.0], 5),
        BINARY,
        {"split": {"kind": "head", "validation": 5, "test": 1}},
        "all 4 training rows belong to one class, 'yes'",
    ),
    (np.arange(2.0), Task("regression"), {}, "split.test gives no row at all"),
    (np.arange(3.0), Task("regression"), {}, "split.validation gives no row at all"),
]


@pytest.mark.parametrize(("targets", "task", "options", "message"), BROKEN)
def test_data_that_cannot_be_learned_from_is_refused(prepare, targets, task, options, message):
    with pytest.raises(DataError) as caught:
        prepare(targets, task, **options)
    assert message in str(caught.value)


def test_a_column_that_groups_and_is_an_input_gets_a_note(prepare):
    targets = np.arange(20) % 2.0
    columns = {"features": np.repeat(np.arange(5), 4)}
    prepared = prepare(targets, split={"kind": "grouped", "group": "features"}, columns=columns)
    assert "column 'features' groups the rows and is also an input" in prepared.notes[0]


def test_a_builder_that_returns_something_else_is_a_plugin_error(monkeypatch):
    monkeypatch.setitem(DATASETS._builders, "odd", lambda context: 3)
    with pytest.raises(PluginError, match="the dataset 'odd' returned int"):
        prepare_data("odd", {}, context=DataContext(), split=SPLIT, seed=1)


def test_the_decorator_registers(monkeypatch):
    monkeypatch.setattr(DATASETS, "_builders", {})
    assert dlrun.dataset("mine")(len) is len
    assert DATASETS.get("mine") is len


class Windows(ArrayEncoder):
    """Two steps of a shared series, from the row's start on."""

    def apply(self, raw):
        return {"start": raw["start"], "series": raw["series"] / 10}

    def batch(self, arrays, indices):
        start = arrays["start"][indices]
        return np.stack([arrays["series"][start], arrays["series"][start + 1]], axis=1)


def windows(context):
    return Dataset(
        "windows",
        {"start": np.arange(8)},
        {},
        Windows("window", (2,)),
        {},
        shared={"series": np.arange(20.0)},
    )


def test_shared_arrays_are_not_per_row(monkeypatch):
    monkeypatch.setitem(DATASETS._builders, "windows", windows)
    prepared = prepare_data("windows", {}, context=DataContext(), split=SPLIT, seed=1)
    assert (list(prepared.arrays), list(prepared.shared)) == (["start"], ["series"])
    batch = prepared.encoder.batch(prepared.arrays | prepared.shared, np.array([0, 3]))
    np.testing.assert_allclose(batch, [[0, 0.1], [0.3, 0.4]])


def test_data_may_have_no_targets(monkeypatch):
    monkeypatch.setitem(DATASETS._builders, "windows", windows)
    prepared = prepare_data("windows", {}, context=DataContext(), split=SPLIT, seed=1)
    assert (prepared.targets, prepared.target_scales, prepared.spec.tasks) == ({}, {}, {})
    assert sum(map(len, prepared.splits.values())) == 8


def test_the_number_of_rows_may_be_stated():
    dataset = Dataset("z", {}, {}, ArrayEncoder("z", (1,)), {})
    assert dataset.rows == 0
    dataset.count = 5
    assert dataset.rows == 5


def test_each_regression_has_a_scale_of_its_own(monkeypatch):
    def several(context):
        return Dataset(
            "several",
            {"x": np.arange(20.0).reshape(-1, 1)},
            {"a": np.arange(20.0), "b": np.arange(20.0) * 3, "c": np.arange(20) % 2.0},
            ArrayEncoder("x", (1,)),
            {"a": Task("regression"), "b": Task("regression"), "c": BINARY},
            scale_targets=True,
        )

    monkeypatch.setitem(DATASETS._builders, "several", several)
    prepared = prepare_data("several", {}, context=DataContext(), split=SPLIT, seed=1)
    scales = prepared.target_scales
    assert list(scales) == ["a", "b"]
    assert scales["b"].std[0] == pytest.approx(3 * scales["a"].std[0])
    np.testing.assert_allclose(prepared.targets["a"], prepared.targets["b"], rtol=1e-5)
    assert set(prepared.targets["c"]) == {0, 1}


def broken_dataset(**changes):
    parts = {"raw": {"x": np.arange(20.0).reshape(-1, 1)}, "targets": {"t": np.arange(20.0)}}
    parts |= {"encoder": ArrayEncoder("x", (1,)), "tasks": {"t": Task("regression")}, **changes}
    return Dataset("mine", **parts)


class Shortened(ArrayEncoder):
    def apply(self, raw):
        return {"x": raw["x"][:3]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {}}, "targets and tasks have different names\n  received  targets t; tasks none"),
        ({"shared": {"x": np.zeros(3)}}, "mine: x is in raw and in shared"),
        ({"encoder": Shortened("x", (1,))}, "the encoder returned 3 rows in x for 20 rows"),
    ],
)
def test_a_builder_s_mistake_is_a_plugin_error(monkeypatch, changes, message):
    monkeypatch.setitem(DATASETS._builders, "mine", lambda context: broken_dataset(**changes))
    with pytest.raises(PluginError, match=message):
        prepare_data("mine", {}, context=DataContext(), split=SPLIT, seed=1)


def test_an_encoder_does_not_augment_unless_it_says_so():
    encoder = ArrayEncoder("x", (1,))
    inputs = np.zeros((2, 1))
    assert encoder.augment(inputs, 3) is inputs
    assert encoder.row_count({"x": inputs}) == 2
