"""`dlrun show`: a config with every value and where it comes from, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Set
from dlrun.cli._output import echo
from dlrun.errors import UnknownNameError


def show(
    target: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG_OR_RUN",
            help="A config (file or shipped name), or a run (path, id, `-` for the latest).",
            autocompletion=_options.complete_config,
        ),
    ],
    overrides: Set = None,
    graph: Annotated[
        Path | None, typer.Option("--graph", metavar="FILE.svg", help="Draw the layers of a run's best model.")
    ] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Show a config with every default filled in and the place that set each value; or what a run holds."""
    from dlrun.config.finding import find_config

    if graph:
        from dlrun.api import draw_model, load_run

        draw_model(load_run(target, outputs=outputs), graph)
        _print_file(graph, as_json=as_json)
        return
    if target == "-" or Path(target).is_dir():
        _show_run(target, outputs, as_json=as_json)
        return
    try:
        path = find_config(target)
    except UnknownNameError as no_config:
        _show_run(target, outputs, as_json=as_json, no_config=no_config)
        return
    _show_config(path, overrides or [], as_json=as_json)


def _print_file(file: Path, *, as_json: bool) -> None:
    from dlrun.cli._output import print_json
    from dlrun.files import short

    if as_json:
        print_json({"graph": str(file.absolute())})
    else:
        echo(short(file))


def _show_config(path: Path, overrides: list[str], *, as_json: bool) -> None:
    from dlrun.config.dumping import plain_config
    from dlrun.config.loading import load_config
    from dlrun.config.origins import annotated_lines, origin_table

    config = load_config(path, overrides)
    if as_json:
        from dlrun.cli._output import print_json

        print_json({"config": plain_config(config), "origins": origin_table(config)})
        return
    echo("\n".join(annotated_lines(config)))


def _show_run(text: str, outputs: Path, *, as_json: bool, no_config: UnknownNameError | None = None) -> None:
    """Show a run; when there is none either, the message speaks of both. Raises UnknownNameError."""
    from dlrun.cli import _run_summary

    try:
        _run_summary.show_run(text, as_json=as_json, outputs=outputs)
    except UnknownNameError as no_run:
        if no_config is None:
            raise
        hints = [error.problems[0].hint or "" for error in (no_config, no_run)]
        meant = next((hint for hint in hints if hint.startswith("did you mean")), None)
        hint = meant or "`dlrun list configs` and `dlrun runs` show them all"
        raise UnknownNameError(f"there is no config and no run named {text!r}", hint=hint) from no_run
