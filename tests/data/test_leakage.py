"""What is learned inside a fold is learned from its training rows: held-out rows may be anything."""

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_dataset, read_dataset
from dlrun.data._sources import DataContext
from dlrun.data._table import TableEncoder
from dlrun.data.transforms.standardise import Standardise
from dlrun.registry import TRANSFORMS

ROWS, FOLDS = 60, 3
NUMERIC = {
    name: ["impute", name] if name != "impute" else [name] for name in ("standardise", "min_max", "log1p", "impute")
}
CATEGORICAL = {"one_hot": ["one_hot"]}


@pytest.fixture
def table(tmp_path):
    """Reads the same table again and again: two columns of numbers with gaps, one of categories, a number as target."""
    random = np.random.default_rng(3)
    lines = ["size,age,city,price"]
    for row in range(ROWS):
        size = "" if row % 7 == 3 else f"{random.gamma(2.0):.4f}"
        lines.append(
            f"{size},{random.uniform(1, 9):.4f},{random.choice(['rome', 'oslo', 'lima'])},{random.normal():.4f}"
        )
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines))
    return lambda **options: read_dataset("csv", {"path": str(path), "target": "price", **options}, DataContext())


def split_of(kind, index):
    return Split(kind=kind, fold={"index": index, "n_splits": FOLDS}).model_dump()


def another(value):
    """Another number, category, or text of word ids."""
    if isinstance(value, np.ndarray):
        return np.full_like(value, value.max())
    return "elsewhere" if isinstance(value, str) else value * 50 + 100


def check_no_leak(read, kind="shuffled"):
    """In every fold, other values in the rows that do not train leave all that training sees as it is."""
    for index in range(FOLDS):
        honest = prepare_dataset(read(), split=split_of(kind, index), seed=1)
        training = honest.splits["training"]
        held_out = np.setdiff1d(np.arange(ROWS), training)
        assert len(held_out) > ROWS // FOLDS - 1
        other = read()
        for values in (*other.raw.values(), *other.targets.values()):
            for row in held_out:
                values[row] = another(values[row])
        found = prepare_dataset(other, split=split_of(kind, index), seed=1)
        np.testing.assert_array_equal(found.splits["training"], training)
        for name, array in honest.arrays.items():
            np.testing.assert_array_equal(found.arrays[name][training], array[training], "training saw held-out rows")
        assert found.encoder.get_state() == honest.encoder.get_state(), "the encoder learned from held-out rows"
        assert found.target_scales == honest.target_scales, "the scale of the target comes from held-out rows"


def test_every_transform_is_looked_at_here():
    assert set(TRANSFORMS.builtin_names()) == NUMERIC.keys() | CATEGORICAL.keys()


@pytest.mark.parametrize("kind", ["head", "shuffled", "time"])
def test_no_fold_learns_from_its_held_out_rows(table, kind):
    check_no_leak(table, kind)


@pytest.mark.parametrize("name", NUMERIC)
def test_no_transform_of_numbers_learns_from_held_out_rows(table, name):
    check_no_leak(lambda: table(numeric_transforms=NUMERIC[name]))


@pytest.mark.parametrize("name", CATEGORICAL)
def test_no_transform_of_categories_learns_from_held_out_rows(table, name):
    check_no_leak(lambda: table(categorical_transforms=CATEGORICAL[name]))


def test_no_vocabulary_has_words_of_held_out_rows(tmp_path):
    random = np.random.default_rng(4)
    words = [f"word{number}" for number in range(200)]
    path = tmp_path / "texts.csv"
    path.write_text(
        "text,mark\n" + "".join(f"{' '.join(random.choice(words, 9))},{random.normal()}\n" for _ in range(ROWS))
    )
    options = {"path": str(path), "text": "text", "label": "mark", "num_words": 50}
    check_no_leak(lambda: read_dataset("text_csv", options, DataContext()))
    with pytest.raises(AssertionError, match=r"training saw held-out rows|the encoder learned"):
        check_no_leak(lambda: read_dataset("text_csv", {**options, "vocabulary_from": 40}, DataContext()))


def test_a_transform_that_looks_at_all_rows_is_found_out(table, monkeypatch):
    class Peeking(Standardise):
        """Standardises by whatever it is given to transform."""

        def apply(self, values):
            return (values - values.mean(axis=0)) / (values.std(axis=0) + 1)

    monkeypatch.setitem(TRANSFORMS._builders, "peeking", Peeking)
    with pytest.raises(AssertionError, match="training saw held-out rows"):
        check_no_leak(lambda: table(numeric_transforms=["impute", "peeking"]))


def test_an_encoder_that_is_fitted_on_all_rows_is_found_out(table, monkeypatch):
    honest = TableEncoder.fit
    monkeypatch.setattr(TableEncoder, "fit", lambda self, raw, rows: honest(self, raw, np.arange(ROWS)))
    with pytest.raises(AssertionError, match="training saw held-out rows"):
        check_no_leak(table)


def test_a_target_scaled_by_all_rows_is_found_out(table, monkeypatch):
    from dlrun.data import _prepare

    honest = _prepare._target_scales
    monkeypatch.setattr(_prepare, "_target_scales", lambda dataset, training: honest(dataset, np.arange(ROWS)))
    with pytest.raises(AssertionError, match="scale of the target"):
        check_no_leak(table)
