"""`dlrun evaluate`: score a run or a checkpoint."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Quiet, Set, Verbose


def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_CHECKPOINT",
            help="A run (path, id, name, - for the latest) or a .keras file.",
            autocompletion=_options.complete_run,
        ),
    ],
    split: Annotated[Literal["test", "validation", "training"], typer.Option(help="Which part of the data.")] = "test",
    weights: Annotated[Literal["best", "last"], typer.Option(help="Which weights of a run.")] = "best",
    config: Annotated[
        str | None, typer.Option("--config", help="The config whose data scores a .keras file outside a run.")
    ] = None,
    overrides: Set = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score a finished run, or a .keras file, on a split of its data."""
    from dlrun.cli import _evaluation_tables
    from dlrun.cli._output import print_json

    target = _options.find_model(run, weights, config, outputs, overrides or [])
    _options.start_keras(target.config, verbose=verbose)
    from dlrun.evaluate import evaluate as run_evaluate

    evaluation = run_evaluate(target.config, target.model_file, run=target.run, split=split)
    if as_json:
        print_json(evaluation.as_dict())
    else:
        _evaluation_tables.show(evaluation, target.run, quiet=quiet, notes=target.notes)
