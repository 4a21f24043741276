import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from dlrun.config.loading import config_from_mapping
from dlrun.config.schema import Output
from dlrun.engine.baselines import baseline_for, baselines, levels_of
from dlrun.engine.resolve import load_data


def test_the_baseline_of_classes_is_that_of_scikit_learns_dummy():
    data = load_data(config_from_mapping({"data": "digits"}))
    training, validation = (data.targets["digit"][data.splits[name]] for name in ("training", "validation"))
    dummy = DummyClassifier(strategy="most_frequent").fit(training[:, None], training)
    found = baselines(data, "validation", seed=1)["digit"]
    assert found["accuracy"] == pytest.approx(dummy.score(validation[:, None], validation))
    assert found["crossentropy"] == pytest.approx(np.log(10), abs=0.01)


@pytest.mark.parametrize(
    ("metric", "loss", "expected"),
    [
        ("val_loss", "binary_crossentropy", 0.7),
        ("val_acc", "mse", 0.6),
        ("val_auc", "mse", None),
        ("loss", {"Huber": {}}, None),
    ],
)
def test_baselines_are_matched_to_what_is_logged(metric, loss, expected):
    assert baseline_for(metric, loss, {"accuracy": 0.6, "crossentropy": 0.7}) == expected


def test_the_baseline_of_a_series_is_its_last_known_value(tmp_path):
    rows = [f"2024-01-{1 + k // 24:02d} {k % 24}:00,{k * k}" for k in range(10, 200)]
    (tmp_path / "a.csv").write_text("time,height\n" + "\n".join(row.replace(" ", " 0", row[12] == ":") for row in rows))
    options = {"name": "timeseries_csv", "path": str(tmp_path / "a.csv"), "target": "height", "lookback": 4, "delay": 1}
    data = load_data(config_from_mapping({"data": options}))
    ends = data.arrays["ends"][data.splits["validation"]] + 10
    error = (ends + 1.0) ** 2 - (ends - 1.0) ** 2
    found = baselines(data, "validation", seed=1, original_units=True)["height"]
    assert found["mae"] == pytest.approx(error.mean())
    assert found["mse"] == pytest.approx((error**2).mean())
    scale = data.target_scales["height"].std[0]
    assert baselines(data, "validation", seed=1)["height"]["rmse"] == pytest.approx(found["rmse"] / scale)


def test_shuffled_labels_score_as_guessing_by_their_frequencies_does():
    data = load_data(config_from_mapping({"data": "digits", "split": {"validation": 600}}))
    found = baselines(data, "validation", seed=1)["digit"]
    labels = data.targets["digit"][data.splits["validation"]]
    shares = np.bincount(labels) / len(labels)
    assert found["accuracy_shuffled"] == pytest.approx((shares**2).sum(), abs=0.01)
    assert baselines(data, "validation", seed=1)["digit"] == found
    assert baselines(data, "validation", seed=2)["digit"]["accuracy_shuffled"] != found["accuracy_shuffled"]


def test_the_sum_of_several_losses_has_a_baseline_only_if_each_has_one():
    tables = {"a": {"mse": 2.0}, "b": {"crossentropy": 0.5, "accuracy": 0.7, "accuracy_shuffled": 0.6}}
    outputs = {"a": Output(loss="mse", weight=0.5), "b": Output(loss="binary_crossentropy")}
    names = ["val_loss", "val_a_loss", "val_b_loss", "val_b_accuracy", "val_b_auc"]
    assert levels_of(names, outputs, tables) == {
        "val_loss": 1.5,
        "val_a_loss": 2.0,
        "val_b_loss": 0.5,
        "val_b_accuracy": 0.7,
        "val_b_accuracy_shuffled": 0.6,
    }
    huber = {**outputs, "a": Output(loss="huber")}
    assert "val_loss" not in levels_of(names, huber, tables)
