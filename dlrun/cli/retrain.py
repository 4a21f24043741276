"""`dlrun retrain`: the final model on training + validation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Quiet, Run, Verbose


def retrain(
    run: Run,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the run's best epoch.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Default: the run's.")] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    run_dir: Annotated[Path | None, typer.Option("--run-dir", help="Put the new run exactly here.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a fresh model on training + validation for the best number of epochs."""
    from dlrun.cli import _run_summary
    from dlrun.cli._progress import listener
    from dlrun.config.loading import load_config
    from dlrun.events import Note
    from dlrun.run_dir import find_run
    from dlrun.studies.retrain import plan

    parent = find_run(run, outputs)
    parent.record()  # a damaged or newer run is refused
    config, notes = plan(parent, load_config(parent.config_file), epochs=epochs, batch_size=batch_size)
    _options.start_keras(config, verbose=verbose)
    with listener(quiet=quiet, as_json=as_json) as on_event:
        from dlrun.train import train

        for note in notes:
            on_event(Note(note))
        about = {"command": ["dlrun", *sys.argv[1:]], "parent": parent.id}
        child = train(config, outputs=outputs, run_dir=run_dir, on_event=on_event, about=about)
    _run_summary.show_end(child, as_json=as_json)
