"""`dlrun check`: are these configs right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Set
from dlrun.cli._output import echo, error_text
from dlrun.errors import ConfigError, DlrunError


def check(
    configs: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG",
            help="YAML files, or names of shipped configs.",
            autocompletion=_options.complete_config,
        ),
    ],
    overrides: Set = None,
    summary: Annotated[bool, typer.Option("--summary", help="Build the model and print its layers.")] = False,
    graph: Annotated[
        Path | None, typer.Option("--graph", metavar="FILE.svg", help="Build the model and draw its layers.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check configs: keys, values, arguments of models, datasets and Keras objects. Exits with 2 if any is wrong.

    Without --summary and --graph nothing is imported or run: names and signatures are read from source.
    """
    if graph and len(configs) > 1:
        raise ConfigError("--graph draws one config", received=f"{len(configs)} configs")
    reports = [_check_one(text, overrides or [], summary=summary, graph=graph, as_json=as_json) for text in configs]
    if as_json:
        from dlrun.cli._output import print_json

        print_json({"ok": all(report["ok"] for report in reports), "configs": reports})
    code = max(int(report["exit_code"]) for report in reports)
    if code:
        wrong = sum(not report["ok"] for report in reports)
        if len(reports) > 1:
            echo(f"\n{wrong} of {len(reports)} configs are wrong", err=True)
        raise typer.Exit(code)


def _check_one(text: str, overrides: list[str], *, summary: bool, graph: Path | None, as_json: bool) -> dict[str, Any]:
    """Check one config, print `ok` or what is wrong, and return both as JSON values."""
    from dlrun.cli import problem_dict
    from dlrun.config.probing import check_small

    try:
        config = _options.load(text, overrides, to_train=True)
        check_small(config, lambda more: _options.load(text, [*overrides, *more], to_train=True))
        if config.sweep:  # so do the values that `sweep` may try
            _options.check_sweep(text, overrides, config)
        table = _summarise(config, as_json=as_json) if summary else None
        if graph:
            _draw(config, graph)
    except DlrunError as error:
        echo(f"{error_text(error)}\n", err=True)
        problems = [problem_dict(problem) for problem in error.problems]
        return {"config": text, "ok": False, "exit_code": error.exit_code, "problems": problems}
    if not as_json:
        echo(f"ok  {text}")
    data = _data_files(config, as_json=as_json)
    report = {"config": text, "ok": True, "exit_code": 0, "problems": [], "data": data}
    return {**report, **({"model": table} if table else {}), **({"graph": str(graph)} if graph else {})}


def _data_files(config: Any, *, as_json: bool) -> dict[str, list[str]]:
    """Which data files are found; a missing one is told and is no mistake of the config."""
    from dlrun.data_places import find_data
    from dlrun.files import short

    files = find_data(config)
    if not as_json:
        for path in files.found:
            echo(f"    data: found {short(path)}")
        for name in files.missing:
            echo(f"    data: not found: {name}")
    return {"found": [str(path) for path in files.found], "missing": files.missing}


def _draw(config: Any, file: Path) -> None:
    from dlrun.api import draw_model

    try:
        draw_model(config, file)
    except DlrunError as error:
        raise error.located(config.place) from error


def _summarise(config: Any, *, as_json: bool) -> dict[str, Any]:
    """Build the model; its layers on the screen, or as JSON values."""
    from dataclasses import asdict

    from dlrun.api import summarise_config

    try:
        table = summarise_config(config)
    except DlrunError as error:
        raise error.located(config.place) from error
    if not as_json:
        from dlrun.cli._output import show
        from dlrun.cli._rehearsal_table import layer_table

        show(layer_table(table))
    return asdict(table)
