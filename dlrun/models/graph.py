"""Any graph of Keras layers, written in the config (DLwP 7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

import keras

import dlrun
from dlrun.errors import ConfigError, Key, did_you_mean, listing
from dlrun.graphs import INPUT, building_order, idle, origin, sources
from dlrun.models._heads import output
from dlrun.models._objects import make_layer
from dlrun.models._steps import check_ready_for_head, check_vocabulary, one_tensor, told
from dlrun.models.pretrained import make_base
from dlrun.spec import DataSpec, Nodes

Tensors = dict[str, keras.KerasTensor]


@dlrun.model("graph")
def graph(
    spec: DataSpec,
    *,
    nodes: Nodes,
    outputs: dict[str, str] = {},  # noqa: B006 - read, never changed
    head: bool = True,
) -> keras.Model:
    """A graph of Keras layers: several inputs and outputs, branches, shared layers.

    Each node is a mapping. `layer` is a Keras layer as in the model `layers`, `layers` several in a row, `base` a net
    of Keras applications by its name in the model `pretrained`, without weights, `same_as` the name of another node
    whose layers are used again, weights shared. `from` names the nodes or the inputs of the data that it takes, a list
    for layers such as Concatenate; without it a node takes the one above it. Nodes may stand in any order.

    Args:
        spec: What the data looks like.
        nodes: The nodes by name.
        outputs: The node behind each task. Empty: the last node for all tasks, or, without a head, the node that has
            the name of the task.
        head: Add the last layer that each task wants (table 4-1); false when the nodes already end with it.

    Raises:
        ConfigError: A node or input is not there or leads nowhere, a layer refuses its arguments or its inputs, or the
            graph does not end as the heads need it.
    """
    inputs = {name: keras.Input(one.shape, dtype=one.dtype, name=name) for name, one in spec.inputs.items()}
    taken = _resolved(nodes, inputs)
    ends = _ends(spec, nodes, outputs, head)
    _check_all_used(nodes, inputs, taken, ends)
    tensors, made = dict(inputs), dict[str, list[keras.Layer]]()
    for name in building_order(nodes):
        owner = origin(nodes, name)
        for source in taken[name]:
            if source in spec.inputs:
                check_vocabulary(_items(nodes[owner])[0], spec.inputs[source].vocabulary_size, ("model", "nodes", name))
        tensors[name] = _apply(nodes, name, [tensors[source] for source in taken[name]], made)
    found: Any = {task: tensors[name] for task, name in ends.items()}
    if head and spec.tasks:
        for name in dict.fromkeys(ends.values()):
            last = _items(nodes[origin(nodes, name)])[-1]
            check_ready_for_head(f"the node {name}", last, tensors[name], ("model", "nodes", name))
        found = output(spec, found, {layer.name for layers in made.values() for layer in layers})
    elif len(found) == 1:
        (found,) = found.values()
    return keras.Model(inputs if len(inputs) > 1 else next(iter(inputs.values())), found, name="graph")


def _items(node: dict[str, Any]) -> list[Any]:
    """The layers of a node as the config has them; a base counts as one."""
    return node["layers"] if "layers" in node else [node.get("layer", node.get("base"))]


def _resolved(nodes: Nodes, inputs: Tensors) -> dict[str, list[str]]:
    """What each node takes, by the names of nodes and inputs. Raises ConfigError."""
    found = {}
    for name, stated in sources(nodes).items():
        key: Key = ("model", "nodes", name)
        if name in inputs:
            raise ConfigError(f"{name} is the name of an input and of a node", key=key, hint="rename the node")
        if INPUT in stated and len(inputs) > 1:
            expected = f"from: one or several of {listing(inputs)}"
            raise ConfigError(f"the first node, {name}, does not say which input it takes", key=key, expected=expected)
        found[name] = [source or next(iter(inputs)) for source in stated]
        for source in found[name]:
            if source not in nodes and source not in inputs:
                raise ConfigError(
                    f"the node {name} takes {source}, which is no node and no input",
                    key=(*key, "from"),
                    expected=f"a node ({listing(nodes)}), or an input of the data ({listing(inputs)})",
                    hint=did_you_mean(source, [*nodes, *inputs]),
                )
    return found


def _ends(spec: DataSpec, nodes: Nodes, outputs: dict[str, str], head: bool) -> dict[str, str]:
    """The node behind each task; the last one under an empty name when the data has no tasks. Raises ConfigError."""
    last = list(nodes)[-1]
    for task in outputs:
        if task not in spec.tasks:
            raise ConfigError(
                f"the data has no task {task!r}",
                key=("model", "outputs", task),
                expected=listing(spec.tasks),
                hint=did_you_mean(task, spec.tasks),
            )
    own = [task for task in spec.tasks if task in nodes]
    if outputs:
        ends = outputs
    elif head or (len(spec.tasks) < 2 and not own):
        ends = dict.fromkeys(spec.tasks, last) or {"": last}
    else:
        ends = {task: task for task in own}
    missing = [task for task in spec.tasks if ends.get(task) not in nodes]
    if missing:
        hint = f"write outputs: {{{missing[0]}: NODE}}" + ("" if head else ", or give its node that name")
        raise ConfigError(f"no node is the output for {listing(missing)}", key=("model", "outputs"), hint=hint)
    return ends


def _check_all_used(nodes: Nodes, inputs: Tensors, taken: dict[str, list[str]], ends: dict[str, str]) -> None:
    """Raise ConfigError for a node that leads to no output, and for an input that no node takes."""
    for name in idle(nodes, ends.values()):
        key: Key = ("model", "nodes", name)
        raise ConfigError(f"the node {name} leads to no output", key=key, hint="take it in another node's `from`")
    used = {source for names in taken.values() for source in names}
    for name in inputs:
        if name not in used:
            hint = "take it in a node's `from`, or leave it out of the data"
            raise ConfigError(f"no node takes the input {name}", key=("model", "nodes"), hint=hint)


def _apply(
    nodes: Nodes, name: str, features: Sequence[keras.KerasTensor], made: dict[str, list[keras.Layer]]
) -> keras.KerasTensor:
    """The output of a node. Its layers, or those it shares, are `made` once, by the name of the node that owns them."""
    owner = origin(nodes, name)
    items = _items(nodes[owner])
    layers = made.setdefault(owner, [])
    for position, item in enumerate(items):
        within = f", layer {position + 1}" if len(items) > 1 else ""
        part: Key = (
            ("layers", position) if "layers" in nodes[owner] else ("base" if "base" in nodes[owner] else "layer",)
        )
        key: Key = ("model", "nodes", name, *(part if name == owner else ("same_as",)))
        with told(item, f"node {name}{within}", key, features):
            if position == len(layers):
                layers.append(_make(nodes[owner], item, _layer_name(nodes, owner, position), features[0], key))
            features = [one_tensor(_call(layers[position], features))]
    return features[0]


def _make(node: dict[str, Any], item: Any, name: str, features: keras.KerasTensor, key: Key) -> keras.Layer:
    if "base" in node:
        return make_base(item, tuple(features.shape[1:]), name=name, key=key)
    return make_layer(item, name)


def _layer_name(nodes: Nodes, node: str, position: int) -> str:
    """The node's name for its only layer, `node_1`, `node_2` for several; never that of another node."""
    if len(_items(nodes[node])) == 1:
        return node
    name = f"{node}_{position + 1}"
    return f"{name}_" if name in nodes else name


def _call(layer: keras.Layer, features: Sequence[keras.KerasTensor]) -> Any:
    """A layer on one tensor, on a list of them (Concatenate), or on several arguments (MultiHeadAttention)."""
    if len(features) == 1:
        return layer(features[0])
    first = next(iter(signature(layer.call).parameters))
    return layer(list(features)) if first == "inputs" else layer(*features)
