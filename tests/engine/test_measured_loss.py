"""The loss that `evaluate` tells against that of `model.evaluate`."""

import pytest

from dlrun.config.loading import load_config
from dlrun.engine.compiling import compile_model, settled_outputs
from dlrun.engine.feeding import Feeder
from dlrun.engine.model_files import load_model
from dlrun.engine.pipelines import batches_in_order
from dlrun.engine.resolve import load_data, open_session
from dlrun.engine.task_rules import with_labels_for
from dlrun.evaluate import evaluate
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
