"""The loss that `evaluate` tells against that of `model.evaluate`."""

import keras
import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.config.schema import Output
from dlrun.engine.compiling import compile_model, settled_outputs
from dlrun.engine.feeding import Feeder
from dlrun.engine.measured_loss import predict_with_losses
from dlrun.engine.model_files import load_model
from dlrun.engine.pipelines import batches_in_order
from dlrun.engine.resolve import load_data, open_session
from dlrun.engine.scoring import by_task
from dlrun.engine.task_rules import with_labels_for
from dlrun.errors import ConfigError
from dlrun.evaluate import evaluate
from dlrun.spec import Task
from dlrun.train import train

PENALISED = {"name": "mlp", "hidden": [8], "kernel_regularizer": {"L2": {"l2": 0.05}}}
LOGITS = {"name": "layers", "head": False, "layers": [{"Dense": {"units": 10}}]}


def told_by_keras(run, split):
    """What `model.evaluate` says of a run's model on a split."""
    config = load_config(run.config_file)
    with open_session(config):
        data = load_data(config)
        model = load_model(run.model_file("best"))
        compile_model(model, config, data.spec)
        losses = {name: one.loss for name, one in settled_outputs(config, data.spec).items()}
        feeder = Feeder.of(with_labels_for(losses, data))
        return model.evaluate(batches_in_order(feeder, data.splits[split], 512), verbose=0, return_dict=True)


def test_a_model_may_name_its_only_output_and_may_have_steps_of_its_own(digits):
    class Own(keras.Model):
        def test_step(self, *arguments):
            return super().test_step(*arguments)

    config = digits()
    with open_session(config):
        data = load_data(config)
        tensor = keras.Input((64,))
        output = keras.layers.Dense(10, "softmax")(tensor)
        rows, stated = data.splits["test"], {"digit": Output(loss="sparse_categorical_crossentropy")}
        named = keras.Model(tensor, {"digit": output})
        told = [
            predict_with_losses(model, Feeder.of(data), rows, 512, stated)
            for model in (named, keras.Model(tensor, output), Own(tensor, output))
        ]
    assert told[0][2] == told[1][2]
    assert told[0][2]["digit"]["loss"] > 1
    assert told[2][1:] == ({}, {"digit": {}})
    np.testing.assert_allclose(told[0][0]["digit"], told[2][0], rtol=1e-5)


def test_losses_of_a_model_with_other_outputs_are_left_to_the_message_about_them(digits):
    config = digits()
    with open_session(config):
        data = load_data(config)
        tensor = keras.Input((64,))
        model = keras.Model(tensor, [keras.layers.Dense(1)(tensor), keras.layers.Dense(1)(tensor)])
        stated = {name: Output(loss="mse") for name in ("one", "other")}
        found, total, _ = predict_with_losses(model, Feeder.of(data), data.splits["test"], 512, stated)
    assert total == {}
    with pytest.raises(ConfigError, match="the model gives other outputs, the data has the tasks one, other"):
        by_task(found, dict.fromkeys(stated, Task("regression")))


@pytest.mark.parametrize(
    "keys",
    [
        {"data": "diabetes", "model": PENALISED},
        {"data": "breast_cancer", "optimizer": {"name": "adam", "learning_rate": 0.5}},  # outputs of 0 and 1
        *(
            pytest.param(keys, marks=pytest.mark.slow)
            for keys in (
                {"model": PENALISED},
                {"loss": {"CategoricalCrossentropy": {"label_smoothing": 0.1}}},
                {"loss": {"SparseCategoricalCrossentropy": {"from_logits": True}}, "model": LOGITS},
                {"data": "breast_cancer", "loss": "mse"},
            )
        ),
    ],
)
def test_the_loss_of_an_evaluation_is_that_of_keras(digits, outputs, keys):
    run = train(digits(**keys), outputs=outputs)
    told = told_by_keras(run, "test")
    values = evaluate(load_config(run.config_file), run.model_file("best")).score.values
    assert values["loss"] == pytest.approx(told["loss"], rel=1e-5)
    assert values.get("bare_loss") == (None if "bare_loss" not in told else pytest.approx(told["bare_loss"], rel=1e-5))
    assert ("bare_loss" in values) is (keys.get("model") == PENALISED)
    assert values.get("bare_loss", 0) < values["loss"]
