"""The loss without penalties, beside the one with them."""

import keras
import pytest

from dlrun.engine.bare_loss import penalised
from dlrun.train import train

PENALISED = {"name": "mlp", "hidden": [8], "kernel_regularizer": {"L2": {"l2": 0.05}}}
MODES = [pytest.param("stepwise", marks=pytest.mark.slow), "whole_epoch"]


@pytest.mark.parametrize("mode", MODES)
def test_a_run_with_a_regularizer_logs_the_loss_without_it(digits, outputs, mode):
    config = digits(
        model=PENALISED,
        metrics=["accuracy", {"SparseCategoricalCrossentropy": {"name": "same"}}],
        runtime={"execution": mode, "jit_compile": False},
    )
    run = train(config, outputs=outputs)
    for row in run.history():
        assert row["bare_loss"] == pytest.approx(row["same"], abs=1e-5)
        assert row["val_bare_loss"] == pytest.approx(row["val_same"], abs=1e-5)
        assert row["loss"] > row["bare_loss"] + 0.1
        assert row["val_loss"] > row["val_bare_loss"] + 0.1
    metrics = run.metrics()
    assert metrics["monitor"] == "val_loss"
    assert metrics["baselines"]["val_bare_loss"] == metrics["baselines"]["val_loss"]
    assert (run.plots / "bare_loss.png").exists()
    plain = keras.saving.load_model(run.model_file("best"))
    assert "bare_loss" not in [metric.name for metric in plain.metrics]


def test_weighted_rows_weigh_in_the_bare_loss_as_in_the_loss(digits, outputs):
    nothing = {**PENALISED, "kernel_regularizer": {"L2": {"l2": 1e-12}}}
    training = {
        "epochs": 1,
        "batch_size": 100,
        "tensorboard": False,
        "class_weight": {str(n): n + 1 for n in range(10)},
    }
    (row,) = train(digits(model=nothing, training=training), outputs=outputs).history()
    assert row["bare_loss"] == pytest.approx(row["loss"], abs=1e-6)
    assert row["loss"] > 5


def test_a_run_without_a_regularizer_logs_one_loss(digits_run):
    assert "bare_loss" not in digits_run.history()[0]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.Dense(2), False),
        (keras.layers.Dense(2, bias_regularizer="l1"), True),
        (keras.layers.Dense(2, activity_regularizer="l2"), True),
        (keras.layers.Dropout(0.5), False),
    ],
)
def test_penalties_come_from_weights_and_from_activities(layer, expected):
    assert penalised(keras.Sequential([keras.Input((3,)), layer])) is expected


def test_a_model_with_a_step_of_its_own_logs_what_it_likes():
    from dlrun.engine.bare_loss import log_bare_loss

    class Own(keras.Model):
        def compute_loss(self, *arguments, **options):
            return super().compute_loss(*arguments, **options)

    inputs = keras.Input((3,))
    model = Own(inputs, keras.layers.Dense(1, kernel_regularizer="l2")(inputs))
    model.compile(loss="mse")
    log_bare_loss(model)
    assert [metric.name for metric in model.metrics] == ["loss"]
