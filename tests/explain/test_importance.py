import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping, load_config
from dlrun.explain import Options, explain
from dlrun.explain.importance import REPEATS, importances
from dlrun.train import train


def test_the_only_telling_column_is_found_and_categories_move_as_one(table_run):
    (only,) = explain(table_run, load_config(table_run.config_file), [], Options(what=["importance"])).written
    columns = {row["column"]: row for row in only.facts["columns"]}
    assert set(columns) == {"tells", "noise", "town"}
    assert only.facts["metric"] == "loss"
    assert next(iter(columns)) == "tells"
    assert columns["tells"]["importance"] > 5 * max(columns["noise"]["importance"], columns["town"]["importance"])
    assert 0 < columns["tells"]["spread"] < columns["tells"]["importance"]


def test_the_level_is_the_validation_metric_of_the_best_epoch(table_run):
    (only,) = explain(table_run, load_config(table_run.config_file), [], Options(what=["importance"])).written
    assert only.facts["level"] == pytest.approx(table_run.metrics()["best"]["val_loss"], rel=1e-4)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_worse_is_positive_whether_less_or_more_is_better(sign):
    inputs = np.arange(50.0)[:, None]

    def measure(given):
        return sign * np.abs(given - inputs).mean()

    found = importances(measure, inputs, {"one": lambda order: inputs[order]}, "mae", sign, seed=0)
    assert found.repeats.shape == (1, REPEATS)
    assert (found.repeats > 5).all()
    assert found.repeats.std() > 0


@pytest.mark.slow
def test_series_are_told_by_feature_and_by_step_back(tmp_path):
    random = np.random.default_rng(0)
    tells, noise = random.normal(size=(2, 400))
    lines = [f"{a:.4f},{b:.4f},{c:.4f}" for a, b, c in zip(tells, noise, np.roll(tells, 2), strict=True)]
    (tmp_path / "s.csv").write_text("\n".join(["tells,noise,target", *lines]) + "\n")
    data = {"name": "timeseries_csv", "path": str(tmp_path / "s.csv"), "target": "target", "lookback": 5, "step": 1}
    data |= {"columns": ["tells", "noise"], "delay": 0}
    keys = {"model": {"name": "layers", "layers": ["Flatten"]}, "optimizer": {"name": "adam", "learning_rate": 0.05}}
    training = {"epochs": 15, "batch_size": 64, "tensorboard": False}
    run = train(config_from_mapping({"name": "s", "data": data, "training": training, **keys}), outputs=tmp_path / "o")
    features, steps = explain(run, load_config(run.config_file), [], Options(what=["importance"])).written
    assert features.facts["columns"][0]["column"] == "tells"
    assert steps.facts["columns"][0]["column"] == "2 back"
    assert len(steps.facts["columns"]) == 5
