import keras
import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.config.schema import Component, Output
from dlrun.engine.compiling import (
    choose_output,
    choose_outputs,
    compile_model,
    make_metrics,
    make_optimizer,
    resolve_monitor,
)
from dlrun.errors import ConfigError
from dlrun.spec import DataSpec, InputSpec, Task

BINARY = Task("binary", ("no", "yes"))
CLASSES = Task("multiclass", ("a", "b", "c"))
ONE_HOT = Task("multiclass", ("a", "b", "c"), one_hot=True)


@pytest.mark.parametrize(
    ("task", "loss", "metrics"),
    [
        (BINARY, "binary_crossentropy", ["accuracy"]),
        (CLASSES, "sparse_categorical_crossentropy", ["accuracy"]),
        (ONE_HOT, "categorical_crossentropy", ["accuracy"]),
        (Task("multilabel", ("a", "b")), "binary_crossentropy", ["binary_accuracy"]),
        (Task("regression"), "mse", ["mae"]),
    ],
)
def test_loss_and_metrics_follow_from_the_task_by_table_4_1(task, loss, metrics):
    found = choose_output(Output(), task)
    assert (found.loss, found.metrics) == (loss, metrics)


def test_metrics_are_made_by_their_names():
    mae, area = make_metrics(["mae", {"AUC": {"name": "area"}}])
    assert (mae, area.name) == ("mae", "area")


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        ("val_accuracy", "max"),
        ("val_loss", "min"),
        ("val_auc", "max"),
        ("val_mae", "min"),
        ("val_mean_io_u", "max"),
        ("val_share", "max"),
    ],
)
def test_the_mode_follows_from_the_metric(metric, mode):
    metrics = [
        "accuracy",
        "mae",
        {"CategoricalAccuracy": {"name": "share"}},
        {"AUC": {}},
        {"MeanIoU": {"num_classes": 3}},
    ]
    config = config_from_mapping({"data": "digits", "metrics": metrics, "monitor": metric})
    assert resolve_monitor(config, choose_outputs(config, {"y": CLASSES}), validated=True) == (metric, mode)


def test_without_validation_the_training_loss_is_monitored():
    config = config_from_mapping({"data": "digits", "split": {"validation": 0}})
    assert resolve_monitor(config, choose_outputs(config, {"y": BINARY}), validated=False) == ("loss", "min")


def test_optimizers_take_any_case_and_schedules():
    schedule = {"ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}}
    optimizer = make_optimizer(Component(name="RMSProp", learning_rate=schedule))
    assert type(optimizer).__name__ == "RMSprop"
    assert float(optimizer.learning_rate) == pytest.approx(0.1)


def test_what_keras_refuses_is_told_with_the_section():
    with pytest.raises(ConfigError, match="Keras refuses the arguments of Adam") as caught:
        make_optimizer(Component(name="adam", clipnorm=1.0, clipvalue=1.0))
    assert caught.value.problems[0].key == ("optimizer",)


def test_outputs_of_several_tasks_come_by_name():
    tasks = {"age": Task("regression"), "gender": BINARY}
    inputs = keras.Input((2,))
    model = keras.Model(inputs, [keras.layers.Dense(1)(inputs), keras.layers.Dense(1, "sigmoid")(inputs)])
    config = config_from_mapping({"data": "digits"})
    config = config.model_copy(update={"outputs": choose_outputs(config, tasks)})
    with pytest.raises(ConfigError, match="a dict of outputs with the names age, gender"):
        compile_model(model, config, DataSpec({"x": InputSpec((2,))}, tasks))
