"""`dlrun report`: one HTML file on a run, a study, or several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs


def report(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|STUDY...",
            help="Runs or one study: path, id, name, or - for the latest run.",
            autocompletion=_options.complete_run,
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: report.html in the run or study, or here."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="A name, or a folder of runs, stands for all runs in it.")
    ] = False,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML file on a run or study, or on several runs beside each other."""
    from dlrun.cli._output import echo, print_json
    from dlrun.files import short
    from dlrun.report import write_report

    written = write_report(targets, outputs, file=file, every=every)
    size = written.stat().st_size
    if as_json:
        print_json({"file": str(written.absolute()), "bytes": size})
    else:
        echo(f"{short(written)} ({size / 1000:,.0f} kB)")
