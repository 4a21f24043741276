"""`dlrun tensorboard`: TensorBoard on runs, under their names."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs


def tensorboard(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|STUDY...]",
            help="Runs or studies: path, id, name, or - for the latest run. Default: the newest 100 runs.",
            autocompletion=_options.complete_run,
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="A name, or a folder of runs, stands for all runs in it.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Name or address to listen at.")] = "localhost",
    port: Annotated[int | None, typer.Option("--port", help="Default: 6006, or the next free one.")] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Start TensorBoard on runs: curves, weights, graphs, word vectors, parameters. Ctrl-C ends it."""
    from dlrun.cli._output import echo, print_json
    from dlrun.studies.tensorboard import link_logs, runs_to_show, serve

    runs = runs_to_show(targets or [], outputs, every=every)
    with tempfile.TemporaryDirectory(prefix="dlrun-tensorboard-") as folder:
        link_logs(Path(folder), runs)
        address = serve(Path(folder), host=host, port=port)
        if as_json:
            print_json({"address": address, "runs": {name: str(run.path) for name, run in runs.items()}})
        else:
            echo(f"{address}  {len(runs)} run{'s' if len(runs) > 1 else ''}; Ctrl-C ends it")
        sys.stdout.flush()
        _wait()


def _wait() -> None:
    """Until Ctrl-C, which is how this verb ends."""
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
