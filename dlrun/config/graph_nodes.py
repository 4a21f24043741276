"""The nodes of the model `graph`: their form, their Keras layers, and whether they hang together."""

from __future__ import annotations

from typing import Any

from dlrun import keras_names
from dlrun.applications import APPLICATIONS
from dlrun.config.dumping import flow
from dlrun.config.keras_objects import check_layer, check_layers
from dlrun.config.nodes import Report, dotted, show_value
from dlrun.errors import Key, did_you_mean, listing, nearest
from dlrun.graphs import KEYS, PARTS, Circle, building_order, idle, origin, sources

_EXAMPLE = "encoded: {layer: {LSTM: {units: 32}}, from: words}"


def check_nodes(report: Report, key: Key, value: Any) -> Any:
    """The nodes with their layers checked; what is wrong goes into the report."""
    if not isinstance(value, dict) or not value:
        message = f"{dotted(key)} is not a mapping of nodes"
        report.add(key, message, received=show_value(value), hint=f"write nodes by name: {_EXAMPLE}")
        return value
    before = len(report.problems)
    checked = {str(name): _check_node(report, (*key, name), node) for name, node in value.items()}
    if len(report.problems) == before:
        _check_sharing(report, key, checked)
    if len(report.problems) == before:
        _check_order(report, key, checked)
    return checked


def _check_node(report: Report, key: Key, node: Any) -> Any:
    if not _has_form(report, key, node):
        return node
    checked = dict(node)
    if "layer" in node:
        checked["layer"] = check_layer(report, (*key, "layer"), node["layer"])
    if "layers" in node:
        checked["layers"] = check_layers(report, (*key, "layers"), node["layers"])
        if node["layers"] == []:
            report.add((*key, "layers"), f"{dotted((*key, 'layers'))} is an empty list", hint="remove this node")
    if "base" in node and node["base"] not in APPLICATIONS:
        where, hint = (*key, "base"), did_you_mean(node["base"], APPLICATIONS)
        received, expected = show_value(node["base"]), listing(APPLICATIONS)
        report.add(where, f"{dotted(where)} is not a base", received=received, expected=expected, hint=hint)
    if "same_as" in node and not isinstance(node["same_as"], str):
        where = (*key, "same_as")
        report.add(where, f"{dotted(where)} is not the name of a node", received=show_value(node["same_as"]))
    if "from" in node:
        _check_from(report, (*key, "from"), node["from"])
    return checked


def _has_form(report: Report, key: Key, node: Any) -> bool:
    """Whether a node is a mapping with one of the PARTS, and no key that means nothing."""
    name = str(key[-1])
    if "/" in name or not name:
        report.add(key, f"{name!r} is no name for a node", on="key", expected="any text without /")
        return False
    expected = "a mapping with layer, layers, base or same_as, and from"
    if not isinstance(node, dict):
        hint = f"write {name}: {{layer: {node}}}" if isinstance(node, str) else None
        hint = f"write {name}: {{layers: {flow(node)}}}" if isinstance(node, list) else hint
        report.add(key, f"{dotted(key)} is not a node", received=show_value(node), expected=expected, hint=hint)
        return False
    unknown = [part for part in node if part not in KEYS]
    for part in unknown:
        hint = did_you_mean(part, KEYS)
        if keras_names.canonical("layers", str(part)):
            hint = f"write {name}: {{layer: {flow({part: node[part]})}}}"
        report.add((*key, part), f"{part} is not a key of a node", on="key", expected=listing(KEYS), hint=hint)
    parts = [part for part in PARTS if part in node]
    if len(parts) != 1 and not unknown:
        message = f"{dotted(key)} needs one of {', '.join(PARTS)}"
        report.add(key, message, on="key", received=" and ".join(parts) or None)
    return not unknown and len(parts) == 1


def _check_from(report: Report, key: Key, value: Any) -> None:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        expected = "the name of a node or an input, or a list of them"
        report.add(key, f"{dotted(key)} does not say where from", received=show_value(value), expected=expected)


def _check_sharing(report: Report, key: Key, nodes: dict[str, Any]) -> None:
    """Every `same_as` leads to a node with layers of its own."""
    for name, node in nodes.items():
        where = (*key, name, "same_as")
        if "same_as" in node and node["same_as"] not in nodes:
            message = f"{dotted(where)} names no node"
            hint = did_you_mean(node["same_as"], nodes)
            report.add(where, message, received=node["same_as"], expected=listing(nodes), hint=hint)
            return
    for name in nodes:
        try:
            origin(nodes, name)
        except Circle as circle:
            report.add((*key, name, "same_as"), f"nodes that are the same as each other: {circle}")
            return


def _check_order(report: Report, key: Key, nodes: dict[str, Any]) -> None:
    try:
        building_order(nodes)
    except Circle as circle:
        report.add((*key, circle.names[0]), f"nodes that feed each other in a circle: {circle}", on="key")


def check_graph(report: Report, plain: dict[str, Any]) -> None:
    """Whether all nodes lead to an output, where the config itself says which those are."""
    model = plain.get("model")
    if not isinstance(model, dict) or model.get("name") != "graph" or report.reported(("model",)):
        return
    nodes, outputs, head = model["nodes"], model.get("outputs") or {}, model.get("head", True)
    for task, name in outputs.items():
        if name not in nodes:
            key: Key = ("model", "outputs", task)
            hint = did_you_mean(name, nodes)
            report.add(key, f"{dotted(key)} names no node", received=str(name), expected=listing(nodes), hint=hint)
            return
    if not outputs and not head:
        return  # the tasks of the data are the ends
    ends = list(outputs.values()) or list(nodes)[-1:]
    elsewhere = [source for taken in sources(nodes).values() for source in taken if source not in nodes and source]
    for name in idle(nodes, ends):
        hint = f"take it in another node's `from`, or remove it; the model ends with {listing(ends)}"
        if misspelt := nearest(name, elsewhere):
            hint = f"a `from` says {misspelt}, which is no node; is {name} meant?"
        report.add(("model", "nodes", name), f"the node {name} leads to no output", on="key", hint=hint)
