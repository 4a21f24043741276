"""Graphs of layers: branches, shared layers, several inputs and outputs, and what a wrong graph is told."""

import keras
import numpy as np
import pytest

from dlrun.config.schema import Component
from dlrun.engine.resolve import build_model
from dlrun.errors import ConfigError
from dlrun.spec import DataSpec, InputSpec, Task

BINARY = Task("binary", ("no", "yes"))
TASKS = {"age": Task("regression"), "income": Task("multiclass", ("a", "b", "c")), "gender": BINARY}
IMAGE = InputSpec((28, 28, 1))


def dense(units, activation=None):
    return {"Dense": {"units": units, "activation": activation}}


def conv(filters, size, **more):
    return {"Conv2D": {"filters": filters, "kernel_size": size, "activation": "relu", "padding": "same", **more}}


def words(size, length=None):
    return InputSpec((length,), "int32", vocabulary_size=size)


def embedded(rows, dimensions, units, source):
    layers = [{"Embedding": {"input_dim": rows, "output_dim": dimensions}}, {"LSTM": {"units": units}}]
    return {"layers": layers, "from": source}


def build(nodes, inputs, tasks, **options):
    """The model of these nodes for inputs and tasks (or one of each)."""
    inputs = inputs if isinstance(inputs, dict) else {"x": inputs}
    tasks = tasks if isinstance(tasks, dict) else {"y": tasks}
    return build_model(Component(name="graph", nodes=nodes, **options), DataSpec(inputs, tasks))


INCEPTION = {
    "point": {"layer": conv(128, 1, strides=2), "from": "x"},
    "wide": {"layers": [conv(128, 1), conv(128, 3, strides=2)], "from": "x"},
    "pooled": {
        "layers": [{"AveragePooling2D": {"pool_size": 3, "strides": 2, "padding": "same"}}, conv(128, 3)],
        "from": "x",
    },
    "wider": {"layers": [conv(128, 1), conv(128, 3), conv(128, 3, strides=2)], "from": "x"},
    "all": {"layer": "Concatenate", "from": ["point", "wide", "pooled", "wider"]},
}


@pytest.mark.parametrize(
    ("nodes", "inputs", "task", "parameters"),
    [
        (
            {"hidden": {"layers": [dense(32, "relu"), dense(32, "relu")]}},
            InputSpec((64,)),
            Task("multiclass", tuple(map(str, range(10)))),
            3_466,
        ),
        (
            {
                "told": embedded(10_000, 64, 32, "text"),
                "asked": embedded(10_000, 32, 16, "question"),
                "both": {"layer": "Concatenate", "from": ["told", "asked"]},
            },
            {"text": words(10_000), "question": words(10_000)},
            Task("multiclass", tuple(map(str, range(500)))),
            1_000_052,
        ),
        (
            {
                "left_code": {"layer": {"LSTM": {"units": 32}}, "from": "left"},
                "right_code": {"same_as": "left_code", "from": "right"},
                "both": {"layer": "Concatenate", "from": ["left_code", "right_code"]},
            },
            {"left": InputSpec((None, 128)), "right": InputSpec((None, 128))},
            BINARY,
            20_673,
        ),
    ],
    ids=["two dense layers (DLwP 7.1.1)", "text and question (7.1.2)", "siamese LSTM (7.1.5)"],
)
def test_parameter_counts_equal_those_of_the_book(nodes, inputs, task, parameters):
    assert build(nodes, inputs, task).count_params() == parameters


def test_the_three_heads_of_the_book():
    convolution = {"Conv1D": {"filters": 256, "kernel_size": 5, "activation": "relu"}}
    pooling = {"MaxPooling1D": {"pool_size": 5}}
    layers = [
        {"Embedding": {"input_dim": 50_000, "output_dim": 256}},
        {"Conv1D": {"filters": 128, "kernel_size": 5, "activation": "relu"}},
        *(pooling, convolution, convolution, pooling, convolution, convolution),
        "GlobalMaxPooling1D",
        dense(128, "relu"),
    ]
    income = Task("multiclass", tuple(map(str, range(10))))
    spec = {"age": Task("regression"), "income": income, "gender": BINARY}
    model = build({"person": {"layers": layers}}, words(50_000, 269), spec)
    assert model.count_params() == 14_146_316
    assert {name: tensor.shape for name, tensor in model.output.items()} == {
        "age": (None, 1),
        "income": (None, 10),
        "gender": (None, 1),
    }


def test_an_inception_module_and_a_residual_connection_keep_their_shapes():
    nodes = {
        **INCEPTION,
        "squeezed": {"layer": conv(64, 1, strides=2)},
        "shortcut": {"layer": conv(64, 1, strides=2), "from": "all"},
        "sum": {"layer": "Add", "from": ["squeezed", "shortcut"]},
        "flat": {"layer": "GlobalAveragePooling2D"},
    }
    model = build(nodes, IMAGE, BINARY)
    assert model.get_layer("all").output.shape == (None, 14, 14, 512)
    assert model.get_layer("sum").output.shape == (None, 7, 7, 64)


def test_a_shared_stack_has_its_weights_once_and_gives_the_same_for_the_same_input():
    nodes = {
        "left_code": {"layers": [dense(8, "relu"), dense(4)], "from": "left"},
        "right_code": {"same_as": "left_code", "from": "right"},
        "difference": {"layer": "Subtract", "from": ["left_code", "right_code"]},
    }
    options = {"head": False, "outputs": {"y": "difference"}}
    model = build(nodes, {"left": InputSpec((3,)), "right": InputSpec((3,))}, Task("regression", outputs=4), **options)
    assert model.count_params() == 3 * 8 + 8 + 8 * 4 + 4
    rows = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")
    np.testing.assert_array_equal(model.predict({"left": rows, "right": rows}, verbose=0), 0)


def test_attention_takes_query_and_value_from_several_nodes():
    nodes = {
        "looked": {"layer": {"MultiHeadAttention": {"num_heads": 2, "key_dim": 4}}, "from": ["x", "x"]},
        "also": {"layer": "Attention", "from": ["x", "looked"]},
        "all": {"layer": "Concatenate", "from": ["looked", "also"]},
        "flat": {"layer": "GlobalMaxPooling1D"},
    }
    assert build(nodes, InputSpec((6, 5)), BINARY).get_layer("all").output.shape == (None, 6, 10)


def test_nodes_may_stand_in_any_order():
    nodes = {
        "both": {"layer": "Add", "from": ["a", "b"]},
        "b": {"layer": dense(4), "from": "a"},
        "a": {"layer": dense(4), "from": "x"},
    }
    assert build(nodes, InputSpec((3,)), TASKS, outputs=dict.fromkeys(TASKS, "both")).count_params() == 16 + 20 + 5 * 5


def test_the_nodes_themselves_can_be_the_outputs():
    nodes = {
        "trunk": {"layer": dense(4)},
        "age": {"layer": dense(1), "from": "trunk"},
        "income": {"layer": dense(3, "softmax"), "from": "trunk"},
        "gender": {"layer": dense(1, "sigmoid"), "from": "trunk"},
    }
    model = build(nodes, InputSpec((3,)), TASKS, head=False)
    assert {name: tensor.shape[1] for name, tensor in model.output.items()} == {"age": 1, "income": 3, "gender": 1}


def test_a_head_gives_way_to_a_node_or_an_input_of_the_same_name():
    model = build({"y": {"layer": dense(4)}}, {"x": InputSpec((3,))}, {"x": BINARY, "y": BINARY})
    assert [layer.name for layer in model.layers] == ["x", "y", "x_head", "y_head"]


@pytest.mark.parametrize(
    ("nodes", "options", "message"),
    [
        ({"a": {"layer": dense(4), "from": "z"}}, {}, "the node a takes z, which is no node and no input"),
        ({"a": {"layer": dense(4)}}, {}, "the first node, a, does not say which input it takes"),
        ({"text": {"layer": dense(4), "from": "question"}}, {}, "text is the name of an input and of a node"),
        ({"a": {"layer": dense(4), "from": "text"}}, {}, "no node takes the input question"),
        (
            {"a": {"layer": dense(4), "from": "text"}, "b": {"layer": dense(4), "from": "question"}},
            {},
            "the node a leads to no output",
        ),
        ({"a": {"layer": "Concatenate", "from": ["text", "question"]}}, {"outputs": {"z": "a"}}, "has no task 'z'"),
        (
            {
                "a": {"layer": {"Reshape": {"target_shape": [5]}}, "from": "text"},
                "b": {"layer": "Add", "from": ["a", "question"]},
            },
            {},
            r"node a, Reshape\(target_shape=\[5\]\), cannot follow",
        ),
        (
            {
                "a": {"layer": "Add", "from": ["text", "question"]},
                "b": {"layers": [dense(3), "Flatten", {"LSTM": {"units": 2}}]},
            },
            {},
            r"node b, layer 3, LSTM\(units=2\), cannot follow",
        ),
        (
            {"a": {"layer": dense(4), "from": "text"}, "b": {"layer": "Add", "from": ["a", "question"]}},
            {},
            r"(?s)node b, Add\(\), cannot follow.*inputs of shape \(batch, 4\), \(batch, 3\)",
        ),
        (
            {"a": {"layers": ["Concatenate", {"Reshape": {"target_shape": [2, 3]}}], "from": ["text", "question"]}},
            {},
            r"the node a ends with shape \(batch, 2, 3\)",
        ),
        (
            {"a": {"layers": ["Concatenate", dense(1, "sigmoid")], "from": ["text", "question"]}},
            {},
            "the node a already ends with a sigmoid layer",
        ),
    ],
)
def test_a_graph_that_does_not_work_is_told_in_its_own_words(nodes, options, message):
    inputs = {"text": InputSpec((3,)), "question": InputSpec((3,))}
    with pytest.raises(ConfigError, match=message) as caught:
        build(nodes, inputs, BINARY, **options)
    assert caught.value.problems[0].key[:2] in (("model", "nodes"), ("model", "outputs"))


def test_tasks_without_a_node_are_named():
    nodes = {"age": {"layer": dense(1)}}
    with pytest.raises(ConfigError, match="no node is the output for income, gender"):
        build(nodes, InputSpec((3,)), TASKS, head=False)


def test_an_embedding_too_small_for_the_words_is_refused():
    with pytest.raises(ConfigError, match="the Embedding has 10 rows, the data has 50 different word ids"):
        build({"a": embedded(10, 4, 4, "x")}, words(50, 6), BINARY)


def test_a_graph_of_several_outputs_is_the_same_after_saving(tmp_path):
    inputs = {"text": words(20, 6), "question": words(20, 4)}
    nodes = {
        "told": embedded(20, 4, 4, "text"),
        "asked": {"same_as": "told", "from": "question"},
        "both": {"layer": "Multiply", "from": ["told", "asked"]},
    }
    model = build(nodes, inputs, TASKS)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    rows = {"text": np.ones((2, 6), "int32"), "question": np.ones((2, 4), "int32")}
    before, after = model.predict(rows, verbose=0), again.predict(rows, verbose=0)
    assert before.keys() == after.keys() == TASKS.keys()
    for name in TASKS:
        np.testing.assert_array_equal(before[name], after[name])


def test_a_base_is_a_node_and_can_be_shared():
    pictures = {side: InputSpec((64, 64, 3)) for side in ("left", "right")}
    nodes = {
        "seen": {"base": "squeezenet", "from": "left"},
        "seen_too": {"same_as": "seen", "from": "right"},
        "both": {"layer": "Concatenate", "from": ["seen", "seen_too"]},
        "pooled": {"layer": "GlobalAveragePooling2D"},
    }
    model = build(nodes, pictures, BINARY)
    assert model.get_layer("seen").count_params() == 722_496
    assert model.count_params() == 722_496 + 2 * 512 + 1


def test_a_base_that_refuses_its_pictures_is_told_with_its_node():
    nodes = {"seen": {"base": "xception"}, "pooled": {"layer": "GlobalAveragePooling2D"}}
    with pytest.raises(ConfigError, match="Keras refuses the base xception") as caught:
        build(nodes, InputSpec((32, 32, 3)), BINARY)
    assert caught.value.problems[0].key == ("model", "nodes", "seen", "base")
