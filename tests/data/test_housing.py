"""boston_housing and california_housing."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._published import shuffled_as_published
from dlrun.data._sources import DataContext
from dlrun.data.boston_housing import FIRST_PRICES, boston_housing
from dlrun.data.california_housing import california_housing
from dlrun.errors import DataError

SHAPES = {"boston_housing": (506, 13), "california_housing": (20_640, 8)}
BUILDERS = {"boston_housing": boston_housing, "california_housing": california_housing}


def write(folder, name, **changes):
    """A file of the published form; row k of x holds k everywhere."""
    rows, columns = SHAPES[name]
    prices = np.linspace(20_000, 500_000, rows) if name == "california_housing" else np.full(rows, 20.0)
    if name == "boston_housing":
        prices[shuffled_as_published(rows)[:5]] = FIRST_PRICES
    arrays = {"x": np.repeat(np.arange(float(rows))[:, None], columns, axis=1), "y": prices}
    np.savez(folder / f"{name}.npz", **arrays | {key: change(arrays[key]) for key, change in changes.items()})
    return DataContext(folders=[folder])


def test_boston_is_ordered_and_cut_as_keras_does(no_files):
    dataset = boston_housing(write(no_files, "boston_housing"))
    assert tuple(dataset.targets["price"][:3].tolist()) == pytest.approx(FIRST_PRICES[:3])
    np.testing.assert_array_equal(dataset.raw["crim"], shuffled_as_published(506))
    assert {name: len(rows) for name, rows in dataset.parts.items()} == {"training": 404, "test": 102}
    assert list(dataset.raw)[-1] == "lstat"


@pytest.mark.parametrize(("version", "rows", "training"), [("large", 20_640, 16_512), ("small", 600, 480)])
def test_california_has_two_sizes(no_files, version, rows, training):
    dataset = california_housing(write(no_files, "california_housing"), version=version)
    np.testing.assert_array_equal(dataset.raw["features"][:, 0], shuffled_as_published(rows))
    assert {name: len(part) for name, part in dataset.parts.items()} == {
        "training": training,
        "test": rows - training,
    }


BROKEN = [
    ("boston_housing", {"x": lambda x: x[:, :5]}, r"the shapes of x and y\n  received  \(\(506, 5\)"),
    ("boston_housing", {"y": lambda y: y + 1}, r"the first training prices\n  received  \(16.2"),
    ("california_housing", {"y": lambda y: y[:9]}, "the shapes of x and y"),
    ("california_housing", {"y": lambda y: y / 1000}, r"the prices are others\n  received  20 to 500\n"),
    ("california_housing", {"x": lambda x: x * np.nan}, "x holds values that are no finite numbers"),
]


@pytest.mark.parametrize(("name", "changes", "message"), BROKEN)
def test_a_file_with_other_content_is_refused(no_files, name, changes, message):
    context = write(no_files, name, **changes)
    with pytest.raises(DataError, match=message):
        BUILDERS[name](context)


@pytest.mark.parametrize("name", SHAPES)
def test_without_file_and_network_the_error_names_the_places(no_files, name):
    with pytest.raises(DataError, match=rf"{no_files}/{name}/{name}\.npz"):
        BUILDERS[name](DataContext(folders=[no_files]))


@pytest.mark.parametrize("name", SHAPES)
def test_the_sample_can_be_learned(name):
    context = DataContext(sample=True)
    prepared = prepare_data(name, {}, context=context, split=Split().model_dump(), seed=1)
    assert prepared.fingerprint["sample"]
    (arrays,), (targets,) = prepared.arrays.values(), prepared.targets.values()
    training, test = prepared.splits["training"], prepared.splits["test"]
    assert len(test) == 100
    assert LinearRegression().fit(arrays[training], targets[training]).score(arrays[test], targets[test]) > 0.8


def test_predict_takes_rows_of_numbers(tmp_path):
    prepared = prepare_data(
        "california_housing", {}, context=DataContext(sample=True), split=Split().model_dump(), seed=1
    )
    (tmp_path / "a.csv").write_text("1,2,3,4,5,6,7,8\n")
    assert prepared.encoder.apply(prepared.encoder.read([tmp_path / "a.csv"]))["features"].shape == (1, 8)


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_published_boston_houses():
    dataset = boston_housing(DataContext())
    first = [dataset.raw[name][0] for name in ("crim", "zn", "indus", "chas", "nox", "rm")]
    assert first == pytest.approx([1.23247, 0, 8.14, 0, 0.538, 6.142])
    assert dataset.targets["price"][404:406].tolist() == pytest.approx([7.2, 18.8])
