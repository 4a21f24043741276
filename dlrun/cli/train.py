"""`dlrun train`: one run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import DataDir, Json, Outputs, Quiet, Sample, Scale, Set, Verbose


def train(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or the name of a shipped config.",
            autocompletion=_options.complete_config,
        ),
    ] = None,
    overrides: Set = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Go on with an unfinished run, or a longer one.",
            autocompletion=_options.complete_run,
        ),
    ] = None,
    scale: Scale = "book",
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    run_dir: Annotated[Path | None, typer.Option("--run-dir", help="Put the run exactly here.")] = None,
    data_dir: DataDir = None,
    sample: Sample = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, train one batch, save, load; keep nothing.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train one experiment and keep it in a run directory."""
    from dlrun.cli import _run_summary
    from dlrun.cli._progress import listener
    from dlrun.resuming import config_to_resume
    from dlrun.run_dir import find_run

    if (config is None) == (resume is None):
        raise typer.BadParameter("give a CONFIG, or --resume RUN", param_hint="CONFIG")
    if resume is not None and run_dir is not None:
        raise typer.BadParameter("a resumed run stays where it is", param_hint="--run-dir")
    options = _options.data_overrides(data_dir, sample=sample)
    if resume is not None:
        if scale == "small":
            raise typer.BadParameter("a resumed run keeps its size", param_hint="--scale")
        interrupted = find_run(resume, outputs)
        loaded = config_to_resume(interrupted, [*options, *(overrides or [])])
    else:
        options = [*(overrides or []), *options]
        loaded, interrupted = _options.load(str(config), options, to_train=True, scale=scale), None
    _options.start_keras(loaded, verbose=verbose)
    if dry_run:
        from dlrun.cli import _rehearsal_table

        _rehearsal_table.show(loaded, as_json=as_json)
        return
    about = {"command": ["dlrun", *sys.argv[1:]]}
    with listener(quiet=quiet, as_json=as_json) as on_event:
        from dlrun.train import train as run_train

        run = run_train(loaded, outputs=outputs, run_dir=run_dir, resume=interrupted, on_event=on_event, about=about)
    _run_summary.show_end(run, as_json=as_json)
