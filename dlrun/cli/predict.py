"""`dlrun predict`: predictions for raw inputs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Quiet, Run, Verbose
from dlrun.cli._output import echo

SHOWN = 10


def predict(
    run: Run,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Files with raw rows, or - for standard input. None: a split's rows."),
    ] = None,
    weights: Annotated[Literal["best", "last"], typer.Option(help="Which weights.")] = "best",
    split: Annotated[
        Literal["test", "validation", "training"], typer.Option(help="Without INPUT: which rows.")
    ] = "test",
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Predict raw inputs with a run; the run knows how to prepare them."""
    from rich.markup import escape

    from dlrun.cli._output import number, plain_table, print_json, show
    from dlrun.config.loading import load_config
    from dlrun.files import short
    from dlrun.keeping import check_model
    from dlrun.run_dir import find_run

    found = find_run(run, outputs)
    found.record()  # a damaged or newer run is refused
    check_model(found.model_file(weights))
    config = load_config(found.config_file)
    _options.check_inputs(inputs or [])
    _options.start_keras(config, verbose=verbose)
    from dlrun.predict import predict as run_predict

    predictions = run_predict(found, config, inputs or [], weights=weights, split=split)
    if as_json:
        print_json({"run": found.id, "file": str(predictions.file), "predictions": predictions.rows})
        return
    if not quiet:
        table = plain_table(*predictions.columns, left=("input",))
        for row in predictions.rows[:SHOWN]:
            table.add_row(*(number(v) if isinstance(v, float) else escape(str(v)) for v in row.values()))
        show(table)
        if len(predictions.rows) > SHOWN:
            echo(f"... {len(predictions.rows) - SHOWN:,} more")
    echo(f"{len(predictions.rows):,} predictions in {short(predictions.file)}")
