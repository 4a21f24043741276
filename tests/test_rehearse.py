import pytest

from dlrun.errors import ConfigError
from dlrun.rehearse import rehearse, summarise


def test_a_dry_run_reports_the_model_and_leaves_nothing_behind(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = rehearse(digits())
    assert found.model.parameters == 64 * 16 + 16 + 16 * 10 + 10
    assert found.rows == {"training": 1150, "validation": 288, "test": 359}
    assert found.steps_per_epoch == 9
    assert found.data_bytes > 1797 * 64
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_finds_what_training_would(digits):
    model = {"name": "layers", "layers": [{"Dense": {"units": 10, "activation": "relu"}}], "head": False}
    with pytest.raises(ConfigError, match="the last layer's activation is relu"):
        rehearse(digits(model=model))


def test_a_summary_counts_parameters_without_training(digits):
    table = summarise(digits())
    assert [row.kind for row in table.layers] == ["InputLayer", "Dense", "Dense"]
    assert table.parameters == table.trainable_parameters == 1210
