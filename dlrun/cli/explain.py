"""`dlrun explain`: what a trained model looks at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Run, Verbose
from dlrun.cli._output import echo
from dlrun.cli._output import note as show_note

if TYPE_CHECKING:
    from dlrun.explain import Explanation

SHOWN = 8  # files of a kind in the table; --json has all
KINDS = "activations, filters, heatmaps, saliency, words, importance, mistakes, attack"


def explain(
    run: Run,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Your own pictures or texts. None: rows of the validation part."),
    ] = None,
    what: Annotated[str, typer.Option(metavar="KIND,...", help=f"Of {KINDS}. Default: all that fit but attack.")] = "",
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Which layers; in a nested model BASE/NAME. Repeatable."),
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Explain this class. Default: what is predicted.")
    ] = None,
    task: Annotated[str, typer.Option(metavar="NAME", help="Which output of several. Default: the first.")] = "",
    samples: Annotated[int, typer.Option(min=1, max=64, help="How many rows.")] = 4,
    split: Annotated[
        Literal["validation", "training", "test"], typer.Option(help="Rows of which part; test is read only if asked.")
    ] = "validation",
    target: Annotated[
        Literal["logit", "probability"], typer.Option(help="What is explained; a probability near 1 hardly moves.")
    ] = "logit",
    filters: Annotated[int, typer.Option(min=1, help="How many filters of a layer.")] = 16,
    steps: Annotated[int, typer.Option(min=1, help="Steps of gradient ascent for filters.")] = 40,
    size: Annotated[int | None, typer.Option(min=1, help="Side of the pictures for filters, in pixels.")] = None,
    attack: Annotated[
        bool, typer.Option("--attack", help="The kind attack: accuracy on pictures that are changed to mislead.")
    ] = False,
    epsilon: Annotated[
        str, typer.Option(metavar="E,...", help="Sizes of the change for attack, as shares of the pixels' range.")
    ] = "",
    weights: Annotated[Literal["best", "last"], typer.Option(help="Which weights.")] = "best",
    seed: Annotated[int, typer.Option(help="Draws the rows, the noise and the permutations.")] = 0,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what a trained model looks at, as pictures, pages and numbers in the run."""
    from dlrun.cli._output import print_json
    from dlrun.config.loading import load_config
    from dlrun.run_dir import find_run

    found = find_run(run, outputs)
    found.record()  # a damaged or newer run is refused
    config = load_config(found.config_file)
    _options.check_inputs(inputs or [])
    sizes = _sizes(epsilon)
    _options.start_keras(config, verbose=verbose)
    from dlrun.explain import Options
    from dlrun.explain import explain as run_explain

    options = Options(
        what=[*(name.strip() for name in what.split(",") if name.strip()), *(["attack"] if attack else [])],
        layers=layer or [],
        class_name=class_name,
        task=task,
        samples=samples,
        split=split,
        weights=weights,
        target=target,
        seed=seed,
        filters=filters,
        steps=steps,
        size=size,
        sizes=sizes,
    )
    explanation = run_explain(found, config, inputs or [], options)
    if as_json:
        print_json({"run": found.id, **explanation.as_dict()})
    else:
        _show(explanation)


def _sizes(text: str) -> list[float]:
    """Raises ConfigError for what is no share above 0."""
    from dlrun.errors import ConfigError

    try:
        sizes = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        sizes = [-1.0]
    if not all(0 < size <= 1 for size in sizes):
        raise ConfigError("--epsilon takes shares of the range of the pixels", received=text, expected="0.01,0.05")
    return sizes


def _show(explanation: Explanation) -> None:
    from rich.markup import escape

    from dlrun.cli._output import plain_table, show
    from dlrun.files import short

    for note in explanation.notes:
        show_note(note)
    headings = ("kind", "of", "finding", "file")
    table = plain_table(*headings, left=headings)
    counts: Counter[str] = Counter()
    for one in explanation.written:
        counts[one.what] += 1
        if counts[one.what] <= SHOWN:
            table.add_row(one.what, *map(escape, (one.of, one.finding, _below(one.file, explanation.folder))))
        elif counts[one.what] == SHOWN + 1:
            more = sum(other.what == one.what for other in explanation.written) - SHOWN
            table.add_row("", f"... {more:,} more", "", "")
    show(table)
    for name, reason in explanation.left_out.items():
        echo(f"no {name}: {reason}")
    echo(f"{len(explanation.written):,} files in {short(explanation.folder)}")


def _below(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder))
