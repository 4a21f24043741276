"""`dlrun list`: the names a config may use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.cli._options import Json

if TYPE_CHECKING:
    from dlrun.catalogue import Item


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
        typer.echo(_text(item))


def _print_overview(found: dict[str, list[str]], *, as_json: bool) -> None:
    if as_json:
        from dlrun.cli._output import print_json

        print_json(found)
        return
    import textwrap

    for kind, names in found.items():
        typer.echo(
            textwrap.fill(", ".join(names) or "none", 110, initial_indent=f"{kind:<13} ", subsequent_indent=" " * 14)
        )
    typer.echo("\n`dlrun list KIND` shows parameters and source, `dlrun list KIND NAME` those of one.")


def _text(item: Item) -> str:
    """A name with its summary, parameters and source, as lines."""
    lines = [f"{item.name:<24} {item.summary}".rstrip()]
    if item.parameters:
        import textwrap

        shown = ", ".join(f"{name}: {default}" for name, default in item.parameters.items())
        lines.append(textwrap.fill(shown, 110, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False))
    lines.append(f"    {_short(item.file)}:{item.line}")
    return "\n".join(lines)


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _as_dict(item: Item) -> dict[str, Any]:
    return {
        "name": item.name,
        "summary": item.summary,
        "parameters": item.parameters,
        "file": str(item.file),
        "line": item.line,
    }
