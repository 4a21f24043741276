"""The nodes of the model `graph` as a config has them: which feeds which, in what order they are built.

A node is a mapping: `layer` (one Keras layer), `layers` (several in a row), `base` (a whole net of Keras applications)
or `same_as` (the layers of another node, weights shared), and `from`: the node or input, or the list of them, that it
takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KEYS = ("layer", "layers", "base", "same_as", "from")
PARTS = KEYS[:4]  # a node has one of them
INPUT = ""  # stands for the only input of the data


class Circle(Exception):
    """Nodes that feed each other; `names` leads once round."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(" -> ".join(names))
        self.names = tuple(names)


def sources(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """What each node takes: as stated in `from`, else the node before it, and the first node the only input."""
    found, before = {}, INPUT
    for name, node in nodes.items():
        stated = node.get("from", before)
        found[name] = list(stated) if isinstance(stated, list) else [stated]
        before = name
    return found


def origin(nodes: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """The node that owns the layers of a node: itself, or where `same_as` leads. Raises Circle."""
    passed = [name]
    while "same_as" in nodes[passed[-1]]:
        following = nodes[passed[-1]]["same_as"]
        if following in passed:
            raise Circle([*passed[passed.index(following) :], following])
        passed.append(following)
    return passed[-1]


def building_order(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The nodes, each behind those it takes. Raises Circle when nodes feed each other."""
    taken, done = sources(nodes), list[str]()

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise Circle([*above[above.index(name) :], name])
        if name in nodes and name not in done:
            for source in taken[name]:
                visit(source, (*above, name))
            done.append(name)

    for name in nodes:
        visit(name, ())
    return done


def idle(nodes: Mapping[str, Mapping[str, Any]], ends: Iterable[str]) -> list[str]:
    """The nodes that lead to none of `ends`, in their order."""
    taken, used, waiting = sources(nodes), set[str](), list(ends)
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in used:
            used.add(name)
            waiting += taken[name]
    return [name for name in nodes if name not in used]
