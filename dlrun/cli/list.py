"""`dlrun list`: the names a config may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.cli._options import Json
from dlrun.cli._output import echo, width
from dlrun.files import short

if TYPE_CHECKING:
    from dlrun.catalogue import Item

WIDEST = 110  # columns of a line


def list_components(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]", help="models, datasets, transforms, routines, configs, optimizers, losses, ..."
        ),
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """List what a config may name: models, datasets, Keras objects, shipped configs; with parameters and source."""
    from dlrun.catalogue import KINDS, items_of, names_of, plural_kind

    if kind is None:
        found = {known: names_of(known) for known in KINDS}
        _print_overview(found, as_json=as_json)
        return
    chosen = plural_kind(kind)
    items = items_of(chosen, name)
    if as_json:
        from dlrun.cli._output import print_json

        print_json({chosen: [_as_dict(item) for item in items]})
        return
    for item in items:
        echo(_text(item))


def _print_overview(found: dict[str, list[str]], *, as_json: bool) -> None:
    if as_json:
        from dlrun.cli._output import print_json

        print_json(found)
        return
    for kind, names in found.items():
        first, *rest = _wrapped(names or ["none"], " " * 14)
        echo("\n".join([f"{kind:<14}{first.lstrip()}", *rest]))
    echo("\n`dlrun list KIND` shows parameters and source, `dlrun list KIND NAME` those of one.")


def _wrapped(parts: list[str], indent: str) -> list[str]:
    """Parts joined by commas, in lines that break between parts only."""
    most = min(WIDEST, width())
    lines = [indent + parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 > most:
            lines[-1] += ","
            lines.append(indent + part)
        else:
            lines[-1] += f", {part}"
    return lines


def _text(item: Item) -> str:
    """A name with its summary, parameters and source, as lines."""
    lines = [f"{item.name:<24} {item.summary}".rstrip()]
    if item.parameters:
        lines += _wrapped([f"{name}: {default}" for name, default in item.parameters.items()], "    ")
    lines.append(f"    {short(item.file)}:{item.line}")
    return "\n".join(lines)


def _as_dict(item: Item) -> dict[str, Any]:
    return {
        "name": item.name,
        "summary": item.summary,
        "parameters": item.parameters,
        "file": str(item.file),
        "line": item.line,
    }
