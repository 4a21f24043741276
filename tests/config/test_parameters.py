from pathlib import Path

import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.errors import ConfigError

PLUGIN = str(Path(__file__).parent / "broken" / "plugin.py")


def net(**parameters):
    model = {"name": "net", "units": 3, **parameters}
    return config_from_mapping({"data": "digits", "plugins": [PLUGIN], "model": model}).model.parameters


def layers(*items):
    model = {"name": "layers", "layers": list(items)}
    return config_from_mapping({"data": "digits", "model": model}).model.parameters["layers"]


def test_defaults_follow_the_signature_and_tuples_become_lists():
    assert list(net(dropout=0.5)) == [
        *(
            "units",
            "hidden",
            "activation",
            "dropout",
            "bias",
            "merge",
            "regularizer",
            "initializer",
            "columns",
            "vectors",
        )
    ]
    assert net()["hidden"] == [64, 64]


@pytest.mark.parametrize(
    ("parameters", "name", "value"),
    [
        ({"units": 4.0}, "units", 4),
        ({"dropout": 1}, "dropout", 1.0),
        ({"bias": "off"}, "bias", False),
        ({"activation": None}, "activation", None),
        ({"activation": "swish"}, "activation", "swish"),
        ({"merge": "concat"}, "merge", "concat"),
        ({"regularizer": "l2"}, "regularizer", "l2"),
        ({"regularizer": {"l2": {"l2": 0.1}}}, "regularizer", {"L2": {"l2": 0.1}}),
        ({"initializer": {"normal": {"stddev": 0.1}}}, "initializer", {"RandomNormal": {"stddev": 0.1}}),
        ({"columns": {"age": ["standardise"]}}, "columns", {"age": ["standardise"]}),
        ({"vectors": "nowhere.txt"}, "vectors", "nowhere.txt"),
    ],
)
def test_values_fit_their_annotation(parameters, name, value):
    found = net(**parameters)[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "item",
    [
        "Flatten",
        {"Flatten": {}},
        {"Dense": {"units": 8, "kernel_initializer": "he_normal", "kernel_constraint": {"MaxNorm": {"max_value": 2}}}},
        {"Conv2D": {"filters": 8, "kernel_size": [3, 3], "padding": "same", "strides": 2}},
        {"LSTM": {"units": 8, "dropout": 0.1, "return_sequences": True, "activity_regularizer": "l1"}},
        {"Bidirectional": {"layer": {"GRU": {"units": 4}}, "merge_mode": None}},
        {"TimeDistributed": {"layer": "Flatten", "name": "each"}},
        {"Rescaling": {"scale": 0.1}},
        {"RandomRotation": {"factor": [-0.1, 0.1]}},
        {"BatchNormalization": {"axis": [1, 2]}},
        {"Activation": {"activation": "relu"}},
        {"MultiHeadAttention": {"num_heads": 2, "key_dim": 4}},
    ],
)
def test_layers_take_what_keras_takes(item):
    assert layers(item) == [item]


@pytest.mark.parametrize(
    ("optimizer", "filled"),
    [
        ("adamw", {"weight_decay": 0.004}),
        ({"name": "sgd", "momentum": 0.9}, {"momentum": 0.9, "nesterov": False}),
        ({"learning_rate": 0.01}, {"learning_rate": 0.01, "rho": 0.9}),
        (
            {"name": "sgd", "learning_rate": {"PolynomialDecay": {"initial_learning_rate": 1, "decay_steps": 5}}},
            {"learning_rate": {"PolynomialDecay": {"initial_learning_rate": 1, "decay_steps": 5}}},
        ),
    ],
)
def test_the_optimizer_is_filled_in_from_keras_source(optimizer, filled):
    found = config_from_mapping({"data": "digits", "optimizer": optimizer}).optimizer.parameters
    assert filled.items() <= found.items()
    assert None not in found.values()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"callbacks": [{"name": "EarlyStopping", "monitor": "val_acuracy"}]},
            r"callbacks\[0\].monitor is not a metric of this run",
        ),
        ({"callbacks": [{"name": "EarlyStopping", "patience": "3"}]}, r"callbacks\[0\].patience is not an integer"),
        ({"model": {"mlp": {"hidden": [4]}}}, "model has no name"),
        ({"optimizer": {"name": "sgd", "learning_rate": "fast"}}, "optimizer.learning_rate is not a number"),
        ({"optimizer": {"name": "sgd", "nesterov": "perhaps"}}, "optimizer.nesterov is not true or false"),
        ({"loss": {"Huber": {"delta": "x"}}}, "loss.Huber.delta is not a number"),
        ({"metrics": [3]}, r"metrics\[0\] is not a metric"),
        ({"training": {"class_weight": {"a": "x"}}}, "training.class_weight.a is not a number"),
    ],
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        config_from_mapping({"data": "digits", **values})


def test_a_section_written_like_a_layer_gets_a_hint_to_copy():
    with pytest.raises(ConfigError) as caught:
        config_from_mapping({"data": "digits", "model": {"mlp": {"hidden": [4]}}})
    assert caught.value.problems[0].hint == "write {name: mlp, hidden: [4]}"


def augment(value):
    return config_from_mapping({"data": {"name": "digits", "image": True, "augment": value}}).data.parameters["augment"]


def test_the_variations_of_pictures_are_filled_in():
    filled = augment({"rotation": 40, "horizontal_flip": True})
    assert (filled["rotation"], filled["horizontal_flip"], filled["zoom"]) == (40.0, True, 0.0)
    assert (filled["fill_mode"], filled["interpolation"]) == ("nearest", "nearest")
    assert augment(None) is None
    assert augment({}) == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"rotate": 40}, r"data.augment.rotate is not an argument of `augment`(?s:.)*did you mean rotation"),
        ({"zoom": 1.5}, r"data.augment.zoom is not a number from 0 to below 1"),
        ({"fill_mode": "mirror"}, r"data.augment.fill_mode is not one of nearest, constant, reflect, wrap"),
        (40, r"data.augment is not a mapping"),
    ],
)
def test_misspelt_variations_are_refused_before_anything_is_loaded(value, message):
    with pytest.raises(ConfigError, match=message):
        augment(value)
