"""The graph of a Keras model: which layer takes what from which."""

from __future__ import annotations

from typing import Any

import keras

from dlrun.errors import ConfigError
from dlrun.model_picture import Box, Graph

MOST_INSIDE = 60  # layers of a model inside a model that are drawn; of more the number is told


def calls_of(model: keras.Model) -> list[Any] | None:
    """Every use of a layer in a model, as Keras' nodes, each behind those it takes from; inputs first.

    None for a model that is no graph of layers (a class with a `call` of its own).
    """
    found = getattr(getattr(model, "_functional", None) or model, "_nodes_by_depth", None)
    if not found:
        return None
    calls = []
    for depth in sorted(found, reverse=True):
        nodes = list(reversed(found[depth]))  # Keras goes from the outputs to the inputs
        first = {id(node.operation): place for place, node in reversed(list(enumerate(nodes)))}
        nodes.sort(key=lambda node: (first[id(node.operation)], node.operation._inbound_nodes.index(node)))
        calls += nodes
    return calls


def graph_of(model: keras.Model) -> Graph:
    """The layers of a model as boxes to be drawn, models inside it with their own layers.

    A layer is one box, however often it is used. Raises ConfigError for a model that is no graph of layers.
    """
    calls = calls_of(model)
    if calls is None:
        raise ConfigError(
            f"the model {type(model).__name__} cannot be drawn: Python code of its own says what feeds what",
            key=("model",),
            expected="a model built of layers, Sequential or functional",
        )
    ends = [id(tensor) for tensor in keras.tree.flatten(model.outputs)]
    boxes: dict[str, Box] = {}
    joints: list[tuple[str, str]] = []
    for call in calls:
        layer, key = call.operation, str(id(call.operation))
        is_end = any(id(tensor) in ends for tensor in call.output_tensors)
        if key not in boxes or is_end:
            boxes[key] = _box(layer, call, is_end=is_end)
        for tensor in call.input_tensors:
            source = tensor._keras_history.operation
            if source is not None:
                joints.append((str(id(source)), key))
    return Graph(boxes, tuple(joints))


def _box(layer: Any, call: Any, *, is_end: bool) -> Box:
    """The box of a layer; `call` is one of its uses."""
    parameters = layer.count_params() if isinstance(layer, keras.Layer) else 0
    trains = parameters and layer.trainable_weights
    counted = f"{parameters:,} parameters{'' if trains else ', frozen'}" if parameters else ""
    shapes = ", ".join(_shape(tensor) for tensor in call.output_tensors[:2])
    lines = [layer.name, _kind(layer), shapes, counted, "output" if is_end else ""]
    inside = None
    if isinstance(layer, keras.Model):
        inner = calls_of(layer)
        if inner and len(inner) <= MOST_INSIDE:
            inside = graph_of(layer)
        else:
            lines[1] = f"{lines[1]}, {len(layer.layers)} layers"
    look = "io" if call.is_input or is_end else "frozen" if parameters and not trains else "box"
    return Box(layer.name, tuple(line for line in lines if line), look, inside)


def _kind(layer: Any) -> str:
    """The class of a layer; of a wrapper with that of what it wraps."""
    name = type(layer).__name__
    inner = getattr(layer, "forward_layer", None) or getattr(layer, "layer", None)
    return f"{name}({type(inner).__name__})" if isinstance(inner, keras.Layer) else name.replace("InputLayer", "Input")


def _shape(tensor: Any) -> str:
    """`(28, 28, 1)`, without the axis of the batch."""
    inner = ["?" if size is None else str(size) for size in tensor.shape[1:]]
    return f"({', '.join(inner)})"
