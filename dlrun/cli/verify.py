"""`dlrun verify`: repeat a run and compare bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Quiet, Run, Verbose

if TYPE_CHECKING:
    from dlrun.analysis.verify import Verification
    from dlrun.config.schema import Config
    from dlrun.run_dir import RunDir


def verify(
    run: Run,
    epochs: Annotated[int | None, typer.Option(min=1, help="Only the first so many. Default: all.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the repetition in its temporary directory.")] = False,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Repeat a run from its own config and compare bit by bit: exit code 0 when equal, 1 when not."""
    from dlrun.analysis.verify import plan
    from dlrun.analysis.verify import verify as run_verify
    from dlrun.cli._output import print_json, show_labels
    from dlrun.cli._progress import listener
    from dlrun.config.loading import load_config
    from dlrun.run_dir import find_run

    found = find_run(run, outputs)
    config = load_config(found.config_file)
    plan(found, epochs)  # refused before Keras is loaded
    _options.start_keras(config, verbose=verbose)
    with listener(quiet=quiet, as_json=as_json) as on_event:
        result = run_verify(found, config, epochs=epochs, keep=keep, on_event=on_event)
    if as_json:
        print_json({"run": found.id, "path": str(found.path), **result.as_dict()})
    else:
        show_labels(result_rows(found, config, result))
    if not result.equal:
        raise typer.Exit(1)


def result_rows(run: RunDir, config: Config, result: Verification) -> list[tuple[str, str]]:
    """Label and text of each line of the result."""
    from rich.markup import escape

    from dlrun.files import short

    if result.equal:
        rows = [("[green]equal[/]", "bit for bit: " + ", ".join(result.compared))]
        rows += [("in spite of", escape(reason)) for reason in result.reasons]
    else:
        rows = [(label, escape(text)) for label, text in _difference_rows(result)]
        rows += [("may be why", escape(reason)) for reason in result.reasons]
        if not result.reasons:
            rows.append(("no reason", escape(_report(config))))
    rows += [("not compared", escape(text)) for text in result.left_out]
    rows.append(("run", escape(short(run.path))))
    if not result.recorded:
        rows.append(("note", "run.json cannot be written, so this is not recorded in it"))
    if result.kept:
        rows.append(("repetition", escape(str(result.kept))))
    return rows


def _difference_rows(result: Verification) -> list[tuple[str, str]]:
    """What differs, the first place first."""
    rows: list[str] = []
    if part := result.history:
        where = f"epoch {part.epoch}: {part.metric} was {part.before or 'not there'}, is {part.now or 'not there'}"
        rows.append(where)
        rows.append(f"{part.differing} of {part.values} values in history.csv, by {part.largest:.3g} at most")
    if result.failure:
        rows.append(f"the repetition failed: {result.failure}")
    if result.repeated != result.epochs:
        rows.append(f"it took {result.epochs} epochs, the repetition {result.repeated}")
    for group in result.weights:
        rows.append(f"{group.differing:,} of {group.values:,} values in {group.group}, by {group.largest:.3g} at most")
    return [("[red]different[/]" if n == 0 else "", text) for n, text in enumerate(rows)]


def _report(config: Config) -> str:
    """What to do about a difference that nothing explains."""
    plugins = ", ".join(path.name for path in config.plugins)
    whose = f"dlrun or of {plugins} (does it draw random numbers, or read a clock?)" if plugins else "dlrun"
    asked = "please report it with config.yaml, run.json and both history.csv (--keep leaves the second)"
    return f"same versions, device, threads and data: this is a defect of {whose}; {asked}"
