import keras
import pytest

from dlrun.engine.model_graph import graph_of
from dlrun.errors import ConfigError

layers = keras.layers


def named(graph):
    """Joints by the names of the layers."""
    return [(graph.boxes[a].name, graph.boxes[b].name) for a, b in graph.joints]


def test_a_shared_layer_is_one_box_with_a_line_for_each_use():
    left, right = keras.Input((5, 3), name="left"), keras.Input((5, 3), name="right")
    read = layers.LSTM(4, name="read")
    read(keras.Input((5, 3)))  # not in the model
    both = layers.Multiply(name="both")([read(left), read(right)])
    graph = graph_of(keras.Model([left, right], layers.Dense(1, name="same")(both)))
    assert [box.name for box in graph.boxes.values()] == ["left", "right", "read", "both", "same"]
    assert named(graph) == [("left", "read"), ("right", "read"), ("read", "both"), ("read", "both"), ("both", "same")]


def test_a_box_tells_name_kind_shape_and_parameters():
    inputs = keras.Input((5, 3), name="series")
    hidden = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both_ways")(inputs)
    pooled = layers.GlobalMaxPooling1D(name="pooled")(hidden)
    heads = {name: layers.Dense(2, name=name, trainable=name == "first")(pooled) for name in ("first", "second")}
    lines = [(box.lines, box.look) for box in graph_of(keras.Model(inputs, heads)).boxes.values()]
    assert lines == [
        (("series", "Input", "(5, 3)"), "io"),
        (("both_ways", "Bidirectional(LSTM)", "(5, 8)", "256 parameters"), "box"),
        (("pooled", "GlobalMaxPooling1D", "(8)"), "box"),
        (("first", "Dense", "(2)", "18 parameters", "output"), "io"),
        (("second", "Dense", "(2)", "18 parameters, frozen", "output"), "io"),
    ]


def test_a_model_inside_is_drawn_with_its_layers_and_a_large_one_with_their_number(monkeypatch):
    base = keras.Sequential(
        [keras.Input((4,), name="in"), layers.Dense(3, name="one"), layers.Dense(2, name="two")], name="base"
    )
    base.trainable = False
    inputs = keras.Input((4,), name="outer")
    model = keras.Model(inputs, layers.Dense(1, name="head")(base(inputs)))
    box = next(box for box in graph_of(model).boxes.values() if box.name == "base")
    assert named(box.inside) == [("in", "one"), ("one", "two")]
    assert box.lines == ("base", "Sequential", "(2)", "23 parameters, frozen")
    monkeypatch.setattr("dlrun.engine.model_graph.MOST_INSIDE", 2)
    box = next(box for box in graph_of(model).boxes.values() if box.name == "base")
    assert (box.inside, box.lines[1]) == (None, "Sequential, 2 layers")


def test_a_layer_used_behind_itself_is_joined_to_itself():
    inputs, again = keras.Input((4,), name="in"), layers.Dense(4, name="again")
    graph = graph_of(keras.Model(inputs, again(again(inputs))))
    assert named(graph) == [("in", "again"), ("again", "again")]
    assert [box.look for box in graph.boxes.values()] == ["io", "io"]


def test_a_model_with_a_call_of_its_own_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ConfigError, match="the model Own cannot be drawn"):
        graph_of(Own())
