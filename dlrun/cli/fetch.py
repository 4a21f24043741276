"""`dlrun fetch`: download published data for boxes that will be offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlrun.cli._options import Json
from dlrun.cli._output import echo
from dlrun.errors import DataError


def _complete(incomplete: str) -> list[str]:
    from dlrun.data_places import PUBLISHED

    return [name for name in PUBLISHED if name.startswith(incomplete)]


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Datasets. None: tell which are there already.", autocompletion=_complete),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Put files below this folder instead of Keras' cache.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Download the files of published datasets, so that they are there when the network is not."""
    from dlrun.cli._output import print_json
    from dlrun.data_places import PUBLISHED
    from dlrun.fetch import check_names, files_there

    check_names(names or [])
    if names:
        reports = [_fetch_one(name, data_dir) for name in dict.fromkeys(names)]
    else:
        reports = [{"dataset": name, "there": files_there(name, data_dir), "downloaded": []} for name in PUBLISHED]
    failed = any("problems" in report for report in reports)
    if as_json:
        print_json({"ok": not failed, "datasets": reports})
    else:
        for report in reports:
            _show(report)
    if failed:
        raise typer.Exit(1)


def _fetch_one(name: str, data_dir: Path | None) -> dict[str, Any]:
    """Fetch one dataset; what went wrong is printed and part of the report, so that the next ones still come."""
    from dataclasses import asdict

    from dlrun.cli import problem_dict
    from dlrun.fetch import fetch as run_fetch

    try:
        return asdict(run_fetch(name, data_dir, on_start=lambda url: echo(f"downloading {url}", err=True)))
    except DataError as error:
        echo(f"{error}\n", err=True)
        problems = [problem_dict(problem) for problem in error.problems]
        return {"dataset": name, "there": [], "downloaded": [], "problems": problems}


def _show(report: dict[str, Any]) -> None:
    from dlrun.files import short

    for what in ("there", "downloaded"):
        for path in report[what]:
            size = f"{path.stat().st_size / 1e6:,.1f} MB" if path.is_file() else "folder"
            echo(f"{report['dataset']:<18} {what:<10}  {short(path)} ({size})")
    if not report["there"] and not report["downloaded"]:
        echo(f"{report['dataset']:<18} not there")
