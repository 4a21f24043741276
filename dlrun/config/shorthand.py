"""Short forms written out: `model: mlp` is `model: {name: mlp}`."""

from __future__ import annotations

from typing import Any

from dlrun.config.nodes import Node

COMPONENTS = ("data", "model", "routine", "optimizer")
_TEXT_STANDS_FOR = {**dict.fromkeys(COMPONENTS, "name"), "monitor": "metric"}
_ONE_STANDS_FOR_A_LIST = ("plugins", "callbacks", "metrics")


def expand(root: Node) -> None:
    """Write the short forms in a config's tree out, in place."""
    for section, key in _TEXT_STANDS_FOR.items():
        if section in root.content:
            _wrap(root.content[section], key)
    for section in _ONE_STANDS_FOR_A_LIST:
        _list(root.content.get(section))
    expect = root.content.get("expect")
    if expect is not None and expect.is_mapping and expect.content:
        expect.content = [Node(expect.content, expect.place)]
    outputs = root.content.get("outputs")
    for output in outputs.content.values() if outputs is not None and outputs.is_mapping else ():
        if output.is_mapping:
            _list(output.content.get("metrics"))
    _sum_stages(root.content.get("training"))
    callbacks = root.content.get("callbacks")
    if callbacks is not None and callbacks.is_list:
        for item in callbacks.content:
            _wrap(item, "name")


def _sum_stages(training: Node | None) -> None:
    """The epochs of all stages are those of the run."""
    stages = training.content.get("stages") if training is not None and training.is_mapping else None
    if training is None or stages is None or not stages.is_list or "epochs" in training.content:
        return
    stated = [stage.content.get("epochs") for stage in stages.content if stage.is_mapping]
    counts = [node.content for node in stated if node is not None]
    if counts and all(isinstance(count, int) for count in counts):
        training.content["epochs"] = Node(sum(counts), stages.place)


def _list(node: Node | None) -> None:
    if node is not None and isinstance(node.content, str):
        node.content = [Node(node.content, node.place)]


def _wrap(node: Node, key: str) -> None:
    if isinstance(node.content, str):
        node.content = {key: Node(node.content, node.place)}


def shorthand_schemas(section: str) -> list[dict[str, Any]]:
    """The short forms of a section as JSON Schema."""
    if section == "expect":
        return [{"$ref": "#/$defs/Expect"}]
    return [{"type": "string"}] if section in (*_TEXT_STANDS_FOR, *_ONE_STANDS_FOR_A_LIST) else []
