import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._saved import load_preprocessing, save_preprocessing
from dlrun.data._sources import DataContext
from dlrun.errors import DataError

SPLIT = Split().model_dump()


def prepare(folder, rows=100, fitted=None, **options):
    """A series of a rising and a constant column, with hours for dates."""
    text = "".join(f"2024-01-{1 + k // 24:02d} {k % 24:02d}:00;{k};5\n" for k in range(rows))
    (folder / "a.csv").write_text("time;height (m/s);same\n" + text)
    parameters = {"path": str(folder / "a.csv"), "target": "height (m/s)", "lookback": 6, "delay": 2, **options}
    return prepare_data("timeseries_csv", parameters, context=DataContext(), split=SPLIT, seed=1, fitted=fitted)


def test_a_column_that_never_changes_becomes_zeros(tmp_path):
    data = prepare(tmp_path)
    batch = data.encoder.batch({**data.arrays, **data.shared}, np.array([0]))
    np.testing.assert_array_equal(batch[0, :, 1], np.zeros(6))
    assert np.isfinite(batch).all()


def test_a_unit_is_no_part_of_the_tasks_name(tmp_path):
    data = prepare(tmp_path)
    assert list(data.targets) == ["height"]
    assert data.spec.task.unit == "m/s"


def test_an_evaluation_uses_what_the_run_learned(tmp_path):
    first = prepare(tmp_path)
    save_preprocessing(first, tmp_path / "run")
    again = prepare(tmp_path, rows=200, fitted=load_preprocessing(tmp_path / "run"))
    assert again.target_scales == first.target_scales
    np.testing.assert_array_equal(again.shared["series"][:100], first.shared["series"])
    assert again.original_targets["height"][0] == 8


def test_another_number_of_columns_is_refused(tmp_path):
    save_preprocessing(prepare(tmp_path), tmp_path / "run")
    with pytest.raises(DataError, match="the series has 1 columns now, in training it had 2"):
        prepare(tmp_path, columns=["height (m/s)"], fitted=load_preprocessing(tmp_path / "run"))


def test_several_files_give_a_window_each(tmp_path):
    encoder = prepare(tmp_path).encoder
    raw = encoder.read([tmp_path / "a.csv", tmp_path / "a.csv"])
    rested = encoder.apply(raw)
    batch = encoder.batch(rested, np.arange(encoder.row_count(raw)))
    assert batch.shape == (2, 6, 2)
    np.testing.assert_allclose(batch[1, :, 0] * encoder.std[0] + encoder.mean[0], np.arange(94, 100), rtol=1e-5)
