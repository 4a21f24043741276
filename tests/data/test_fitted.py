"""Evaluating with what a run has learned."""

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._saved import load_preprocessing, save_preprocessing
from dlrun.data._sources import DataContext
from dlrun.errors import DataError


def row(k, target):
    return f"{k % 7 + k / 50},{'red' if k % 3 else 'blue'},{target}\n"


def table(path, target, rows=60):
    path.write_text("size,colour,target\n" + "".join(row(k, target(k)) for k in range(rows)))


def prepare(path, fitted=None, **options):
    options = {"path": str(path), "target": "target", **options}
    return prepare_data(
        "csv", options, context=DataContext(), split=Split(kind="head").model_dump(), seed=1, fitted=fitted
    )


@pytest.fixture
def trained(tmp_path):
    """Makes a run's state from a table with the given targets."""

    def build(target, **options):
        table(tmp_path / "a.csv", target)
        prepared = prepare(tmp_path / "a.csv", **options)
        save_preprocessing(prepared, tmp_path / "run")
        return prepared, load_preprocessing(tmp_path / "run")

    return build


def test_the_same_file_gives_the_same_data(tmp_path, trained):
    before, saved = trained(lambda k: "xyz"[k % 3])
    after = prepare(tmp_path / "a.csv", saved)
    assert after.fingerprint == before.fingerprint
    assert after.spec == before.spec
    np.testing.assert_array_equal(after.arrays["features"], before.arrays["features"])
    np.testing.assert_array_equal(after.targets["target"], before.targets["target"])


def test_nothing_is_learned_again(tmp_path, trained):
    before, saved = trained(lambda k: k * 1.5)
    table(tmp_path / "b.csv", lambda k: k * 3.0, rows=30)
    after = prepare(tmp_path / "b.csv", saved)
    assert after.target_scales == before.target_scales
    assert after.encoder.get_state() == before.encoder.get_state()
    np.testing.assert_array_equal(after.arrays["features"], before.arrays["features"][:30])
    np.testing.assert_allclose(after.targets["target"], before.target_scales["target"].apply(np.arange(30) * 3.0))


def test_labels_keep_their_codes(tmp_path, trained):
    _, saved = trained(lambda k: "xyz"[k % 3])
    table(tmp_path / "b.csv", lambda k: "yz"[k % 2])
    after = prepare(tmp_path / "b.csv", saved)
    assert after.spec.tasks["target"].labels == ("x", "y", "z")
    assert after.targets["target"].dtype == "int32"
    assert after.targets["target"][:4].tolist() == [1, 2, 1, 2]


def test_a_new_label_is_named(tmp_path, trained):
    _, saved = trained(lambda k: "xy"[k % 2])
    table(tmp_path / "b.csv", lambda k: "xw"[k % 2])
    with pytest.raises(DataError, match=r"a label that the run does not know: 'w' in row 2\n.*\n  expected  x, y"):
        prepare(tmp_path / "b.csv", saved)


def test_another_kind_of_target_is_named(tmp_path, trained):
    _, saved = trained(lambda k: k * 1.5)
    table(tmp_path / "b.csv", lambda k: "xw"[k % 2])
    with pytest.raises(DataError, match=r"the target target has changed\n.*\n  expected  numbers, as in training"):
        prepare(tmp_path / "b.csv", saved)


def test_another_target_is_named(tmp_path, trained):
    _, saved = trained(lambda k: "xy"[k % 2])
    with pytest.raises(DataError, match="other targets than the run was trained on\n  received  colour"):
        prepare(tmp_path / "a.csv", saved, target="colour")


def test_a_new_category_becomes_zeros(tmp_path, trained):
    before, saved = trained(lambda k: "xy"[k % 2])
    text = (tmp_path / "a.csv").read_text().replace("blue", "green")
    (tmp_path / "b.csv").write_text(text)
    after = prepare(tmp_path / "b.csv", saved)
    assert before.arrays["features"][0, 1:].sum() == 1
    assert after.arrays["features"][0, 1:].tolist() == [0, 0]


def test_a_column_of_another_kind_is_named(tmp_path, trained):
    _, saved = trained(lambda k: "xy"[k % 2])
    text = (tmp_path / "a.csv").read_text().replace("red", "1").replace("blue", "2")
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(DataError, match="column 'colour' is numeric now, in training it was categorical"):
        prepare(tmp_path / "b.csv", saved)


def test_a_column_that_is_gone_is_named(tmp_path, trained):
    _, saved = trained(lambda k: "xy"[k % 2])
    with pytest.raises(DataError, match="the column 'size' is missing or is no input any more\n  received  colour"):
        prepare(tmp_path / "a.csv", saved, drop=["size"])
