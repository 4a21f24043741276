"""The contract of every model: builds, has the right shape and size, learns, is the same after save and load."""

import keras
import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.config.schema import Component
from dlrun.engine.resolve import build_model
from dlrun.errors import ConfigError
from dlrun.registry import MODELS
from dlrun.spec import DataSpec, InputSpec, Task

TASKS = {
    "binary": Task("binary", ("no", "yes")),
    "multiclass": Task("multiclass", ("a", "b", "c")),
    "multilabel": Task("multilabel", ("x", "y")),
    "regression": Task("regression"),
}
NUMBERS = InputSpec((4,))
WORDS = InputSpec((20,), "int32", vocabulary_size=50)
CASES = {
    "mlp": (
        {"hidden": [8], "dropout": 0.1, "batch_normalization": True, "kernel_regularizer": {"L2": {"l2": 0.001}}},
        NUMBERS,
    ),
    "layers": (
        {"layers": [{"Dense": {"units": 8, "activation": "relu"}}, {"Dropout": {"rate": 0.1}}]},
        NUMBERS,
    ),
    "graph": (
        {
            "nodes": {
                "hidden": {"layers": [{"Dense": {"units": 8, "activation": "relu"}}, {"Dropout": {"rate": 0.1}}]},
                "both": {"layer": "Concatenate", "from": ["hidden", "x"]},
            }
        },
        NUMBERS,
    ),
    "convnet": (
        {"filters": [4, 4], "hidden": [8], "dropout": 0.1, "batch_normalization": True, "padding": "same"},
        InputSpec((8, 8, 1)),
    ),
    "pretrained": (
        {"base": "squeezenet", "weights": None, "hidden": [8]},
        InputSpec((32, 32, 1)),
    ),
    "rnn": ({"cell": "gru", "units": [6], "bidirectional": True, "dropout": 0.1, "hidden": [4]}, InputSpec((5, 3))),
    "conv1d": ({"filters": [8, 8], "kernel_size": 3, "pool_size": 2, "embedding": 8}, WORDS),
    "embedding_mlp": ({"embedding": 8, "pooling": "average", "hidden": [8]}, WORDS),
}
OF_ROUTINES = {"autoencoder", "dcgan"}  # which have nets of their own in mind, and no targets


def _spec(given, task):
    given = given if isinstance(given, InputSpec) else InputSpec(given)
    return DataSpec({"x": given}, {"y": TASKS[task]})


def _samples(given):
    """64 inputs and two classes that follow from them."""
    generator = np.random.default_rng(1)
    if given.vocabulary_size:
        inputs = generator.integers(1, given.vocabulary_size, (64, *given.shape))
        inputs[::2, 5] = inputs[::2, 6] = inputs[::2, 7] = 7
        return inputs, (np.arange(64) % 2 == 0).astype("float32")[:, None]
    inputs = generator.normal(size=(64, *given.shape)).astype("float32")
    targets = (inputs.reshape(64, -1).sum(axis=1, keepdims=True) > 0).astype("float32")
    if inputs.ndim == 4:  # pictures whose brightness tells
        inputs += 2 * targets[:, :, None, None]
    return inputs, targets


def test_every_registered_model_has_a_case():
    assert set(CASES) | OF_ROUTINES == set(MODELS.builtin_names())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", CASES)
def test_the_output_follows_from_the_task(name, task):
    arguments, shape = CASES[name]
    model = build_model(Component(name=name, **arguments), _spec(shape, task))
    head = TASKS[task].head
    assert model.output_shape == (None, head.units)
    assert model.layers[-1].activation.__name__ == (head.activation or "linear")
    assert model.layers[-1].name == "y"


@pytest.mark.parametrize("name", CASES)
def test_every_model_gives_an_output_for_each_of_several_tasks(name):
    arguments, given = CASES[name]
    model = build_model(Component(name=name, **arguments), DataSpec({"x": given}, TASKS))
    assert {task: tensor.shape for task, tensor in model.output.items()} == {
        task: (None, TASKS[task].head.units) for task in TASKS
    }


@pytest.mark.parametrize("name", CASES)
def test_a_model_learns_64_samples_and_survives_saving(name, tmp_path):
    arguments, given = CASES[name]
    keras.utils.set_random_seed(1)
    inputs, targets = _samples(given)
    model = build_model(Component(name=name, **arguments), _spec(given, "binary"))
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", jit_compile=False)
    losses = [model.train_on_batch(inputs, targets) for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(inputs), model(inputs))


@pytest.mark.parametrize(
    ("hidden", "inputs", "task", "parameters"),
    [
        ([512], 784, 10, 407_050),
        ([16, 16], 10_000, 1, 160_305),
        ([64, 64], 10_000, 46, 647_214),
        ([64, 64], 13, 0, 5_121),
    ],
    ids=["mnist (DLwP 2.1)", "imdb (3.4)", "reuters (3.5)", "boston (3.6)"],
)
def test_parameter_counts_equal_those_of_the_book(hidden, inputs, task, parameters):
    kinds = {0: TASKS["regression"], 1: TASKS["binary"]}
    target = kinds.get(task) or Task("multiclass", tuple(map(str, range(task))))
    spec = DataSpec({"x": InputSpec((inputs,))}, {"y": target})
    assert build_model(Component(name="mlp", hidden=hidden), spec).count_params() == parameters


@pytest.mark.parametrize(
    ("name", "arguments", "given", "task", "parameters"),
    [
        ("convnet", {}, InputSpec((28, 28, 1)), 10, 93_322),
        (
            "convnet",
            {"filters": [32, 64, 128, 128], "pool_last": True, "hidden": [512]},
            InputSpec((150, 150, 3)),
            1,
            3_453_121,
        ),
        ("embedding_mlp", {}, InputSpec((20,), "int32", vocabulary_size=10_000), 1, 80_161),
        ("rnn", {"cell": "simple"}, InputSpec((500,), "int32", vocabulary_size=10_000), 1, 322_080 + 33),
    ],
    ids=["mnist (DLwP 5.1)", "cats and dogs (5.2)", "first embedding (6.1)", "SimpleRNN (6.2)"],
)
def test_more_parameter_counts_of_the_book(name, arguments, given, task, parameters):
    target = TASKS["binary"] if task == 1 else Task("multiclass", tuple(map(str, range(task))))
    model = build_model(Component(name=name, **arguments), DataSpec({"x": given}, {"y": target}))
    assert model.count_params() == parameters


@pytest.mark.parametrize(
    ("name", "arguments", "given", "message"),
    [
        ("convnet", {}, NUMBERS, r"wants images \(height, width, channels\), the data gives \(4,\)"),
        ("convnet", {}, InputSpec((8, 8, 1)), "after 2 convolutions the image is 1x1"),
        ("rnn", {}, NUMBERS, r"the model 'rnn' wants sequences, the data gives \(4,\)"),
        ("conv1d", {}, WORDS, "after 1 convolutions the sequence has 2 time steps"),
        ("embedding_mlp", {}, InputSpec((9, 3)), "wants word ids, the data gives numbers"),
    ],
)
def test_data_that_does_not_fit_a_model_is_refused(name, arguments, given, message):
    with pytest.raises(ConfigError, match=message):
        build_model(Component(name=name, **arguments), _spec(given, "binary"))


def test_inputs_of_several_axes_are_flattened_by_mlp():
    model = build_model(Component(name="mlp", hidden=[3]), _spec((2, 2, 1), "regression"))
    assert model.count_params() == 4 * 3 + 3 + 3 + 1


def test_layers_takes_nested_layers_and_their_own_head():
    stack = [
        {"Embedding": {"input_dim": 50, "output_dim": 4}},
        {"Bidirectional": {"layer": {"LSTM": {"units": 3, "kernel_regularizer": {"L2": {"l2": 0.01}}}}}},
        {"Dense": {"units": 1, "activation": "sigmoid"}},
    ]
    spec = DataSpec({"words": InputSpec((7,), "int32", vocabulary_size=50)}, {"y": TASKS["binary"]})
    model = build_model(Component(name="layers", layers=stack, head=False), spec)
    assert model.output_shape == (None, 1)
    assert model.layers[2].forward_layer.kernel_regularizer.l2 == pytest.approx(0.01)


CELL = {"LSTMCell": {"units": 3, "kernel_regularizer": {"L2": {"l2": 0.01}}}}


@pytest.mark.parametrize(
    "cell", [CELL, [CELL, {"GRUCell": {"units": 3}}], {"StackedRNNCells": {"cells": [CELL, {"GRUCell": {"units": 3}}]}}]
)
def test_cells_in_a_mapping_or_a_list_pass_the_check_and_are_built(cell):
    stack = [{"Reshape": {"target_shape": [2, 2]}}, {"RNN": {"cell": cell}}]
    config = config_from_mapping({"data": "digits", "model": {"name": "layers", "layers": stack}})
    model = build_model(config.model, _spec((4,), "binary"))
    assert model.layers[2].output.shape == (None, 3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"Conv2D": {"filters": 4, "kernel_size": 3}}], r"layer 1, Conv2D\(filters=4, kernel_size=3\), cannot follow"),
        ([{"Reshape": {"target_shape": [2, 2]}}], r"ends with shape \(batch, 2, 2\)"),
        ([{"Dense": {"units": 3, "activation": "softmax"}}], "already ends with a softmax layer"),
        ([{"Reshape": {"target_shape": [3]}}], r"layer 1, Reshape"),
    ],
)
def test_a_stack_that_does_not_work_is_told_in_its_own_words(layers, message):
    with pytest.raises(ConfigError, match=message):
        build_model(Component(name="layers", layers=layers), _spec((4,), "multiclass"))


def test_word_ids_are_refused_by_mlp():
    spec = DataSpec({"words": InputSpec((7,), "int32", vocabulary_size=50)}, {"y": TASKS["binary"]})
    with pytest.raises(ConfigError, match="the data gives word ids"):
        build_model(Component(name="mlp"), spec)
