"""`dlrun export`: the model of a run for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Run, Verbose
from dlrun.cli._output import echo


def export(
    run: Run,
    formats: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT,...", help="Of keras, saved_model, onnx, litert. Default: all."),
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to. Default: artefacts/export in the run."),
    ] = None,
    weights: Annotated[Literal["best", "last"], typer.Option(help="Which weights.")] = "best",
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Write a run's model as .keras, SavedModel, ONNX or LiteRT, each compared with the run's predictions."""
    from dlrun.cli._output import print_json
    from dlrun.config.loading import load_config
    from dlrun.keeping import check_model
    from dlrun.run_dir import find_run

    found = find_run(run, outputs)
    found.record()  # a damaged or newer run is refused
    check_model(found.model_file(weights))
    config = load_config(found.config_file, ["runtime.device=cpu"])
    _options.start_keras(config, verbose=verbose)
    from dlrun.export import export as run_export

    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    exported = run_export(found, config, wanted, folder=folder, weights=weights)
    if as_json:
        print_json({"run": found.id, **exported.as_dict()})
    else:
        _show(exported)
    return 1 if not exported.written or (wanted and exported.left_out) else 0


def _show(exported: object) -> None:
    from rich.markup import escape

    from dlrun.cli._output import plain_table, show
    from dlrun.export import Export
    from dlrun.files import short

    assert isinstance(exported, Export)
    table = plain_table("format", "file", "MB", "largest difference", "remark", left=("format", "file", "remark"))
    for one in exported.written:
        difference = f"{one.difference:.1e}" if one.difference else "0"
        table.add_row(one.format, one.file, f"{one.bytes / 1e6:,.2f}", difference, escape(one.remark or ""))
    if exported.written:
        show(table)
    for name, reason in exported.left_out.items():
        echo(f"no {name}: {reason}")
    if exported.written:
        echo(f"compared on {exported.rows} rows; README.md beside them tells inputs and outputs")
        echo(f"written to {short(exported.folder)}")
