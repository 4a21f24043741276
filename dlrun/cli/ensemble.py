"""`dlrun ensemble`: several runs as one model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Quiet, Verbose
from dlrun.cli._output import echo
from dlrun.cli._output import note as show_note

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.ensemble import Ensemble, TaskScores
    from dlrun.predict import Predictions

SHOWN = 10
_SHOWN_FIRST = ("accuracy", "exact_match", "mae", "rmse")  # what has an interval


def ensemble(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Two runs or more, or an ensemble's directory.", autocompletion=_options.complete_run
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(metavar="WEIGHTS", help="equal (default), numbers as 0.5,0.3,0.2, or nelder-mead, random."),
    ] = None,
    combine: Annotated[
        Literal["mean", "geometric", "exponential"] | None, typer.Option(help="Which average; mean by default.")
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Read the test part, once everything is chosen.")
    ] = False,
    predict: Annotated[
        list[str] | None, typer.Option("--predict", metavar="FILE", help="Predict these raw rows. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random search.")] = 0,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Combine the predictions of several runs; weights are chosen on validation."""
    from dlrun.cli._output import print_json
    from dlrun.config.loading import load_config
    from dlrun.errors import ConfigError
    from dlrun.run_dir import find_run

    folder = _directory(runs[0], outputs) if len(runs) == 1 else None
    if folder and (weights or combine):
        raise ConfigError("an ensemble that is there has its weights", hint="make another one of its runs")
    found = [] if folder else [find_run(text, outputs) for text in runs]
    first = _first_config(folder) if folder else found[0].config_file
    _options.start_keras(load_config(first), verbose=verbose)
    from dlrun.ensemble import evaluate_ensemble, make_ensemble, open_ensemble, predict_raw

    if folder:
        made = open_ensemble(folder)
    else:
        made = make_ensemble(found, outputs, weights=weights or "equal", how=combine or "mean", seed=seed)
    test = evaluate_ensemble(made) if evaluate else {}
    predicted = predict_raw(made, predict) if predict else None
    if as_json:
        print_json(_as_dict(made, test, predicted))
        return
    for text in made.notes:
        show_note(text)
    for part, scores in (("validation", made.validation), ("test", test)):
        _show(made, part, scores, quiet=quiet)
    if predicted:
        _show_predictions(predicted, quiet=quiet)
    if evaluate:
        _warn_of_readings(made)
    _show_end(made, evaluated=evaluate)


def _warn_of_readings(made: Ensemble) -> None:
    for member in made.members:
        count = len(member.run.record().get("test_readings", []))
        if count > 1:
            show_note(
                f"the test part of {member.run.id} has been read {count} times; do not choose by it [guard: test]"
            )


def _directory(text: str, outputs: Path) -> Path | None:
    """The directory of an ensemble that is there, by its path or its id."""
    for folder in (Path(text), outputs / "ensembles" / text):
        if (folder / "ensemble.json").is_file():
            return folder.absolute()
    return None


def _first_config(folder: Path) -> Path:
    """The config of the first member. Raises RunDirError."""
    from dlrun.errors import RunDirError
    from dlrun.records import read_json

    try:
        return Path((folder / read_json(folder / "ensemble.json")["members"][0]["path"]).resolve() / "config.yaml")
    except (KeyError, IndexError, TypeError) as error:
        raise RunDirError(f"{folder / 'ensemble.json'} is damaged") from error


def _as_dict(made: Ensemble, test: dict[str, TaskScores], predicted: Predictions | None) -> dict[str, Any]:
    from dataclasses import asdict

    found = {"path": str(made.folder), **made.as_dict()}
    if test:
        found["test"] = {name: asdict(scores) for name, scores in test.items()}
    if predicted:
        found |= {"file": str(predicted.file), "predictions": predicted.rows}
    return found


def _show(made: Ensemble, part: str, scores: dict[str, TaskScores], *, quiet: bool) -> None:
    from dlrun.cli._output import show

    names = {member.run.id: f"{member.config.name}/{member.run.id}" for member in made.members}

    for name, found in scores.items():
        echo(f"{part}: {found.rows:,} rows" + (f", {name}" if len(scores) > 1 else ""))
        show(_score_table(found, names))
        echo()
        if part == "validation" and not quiet:
            show(_pair_table(found, names))
            echo()


def _score_table(found: TaskScores, names: dict[str, str]) -> Table:
    from rich.markup import escape

    from dlrun.cli._output import number, plain_table

    metric = next(name for name in _SHOWN_FIRST if name in found.ensemble.metrics)
    loss = "mse" if metric == "mae" else "crossentropy"
    table = plain_table("run", "weight", metric, "95 % interval", loss, left=("run",))
    for row in [*found.members, found.ensemble]:
        weight = "" if row.weight is None else f"{row.weight:.3f}"
        interval = " to ".join(map(number, row.intervals[metric]))
        style = "bold" if row.weight is None else "none"
        label = names.get(row.name, row.name)
        table.add_row(escape(label), weight, number(row.metrics[metric]), interval, number(row.loss), style=style)
    return table


def _pair_table(found: TaskScores, names: dict[str, str]) -> Table:
    from rich.markup import escape

    from dlrun.cli._output import plain_table

    labels = ("predicted differently",) if found.pairs[0].disagreement is not None else ()
    table = plain_table("run", "and", "correlation of errors", *labels, left=("run", "and"))
    for pair in found.pairs:
        cells = ["" if pair.correlation is None else f"{pair.correlation:.2f}"]
        cells += [f"{pair.disagreement:.1%}"] if pair.disagreement is not None else []
        table.add_row(escape(names[pair.first]), escape(names[pair.second]), *cells)
    return table


def _show_predictions(predicted: Predictions, *, quiet: bool) -> None:
    from rich.markup import escape

    from dlrun.cli._output import number, plain_table, show
    from dlrun.files import short

    if not quiet:
        table = plain_table(*predicted.columns, left=("input",))
        for row in predicted.rows[:SHOWN]:
            table.add_row(*(number(v) if isinstance(v, float) else escape(str(v)) for v in row.values()))
        show(table)
        if len(predicted.rows) > SHOWN:
            echo(f"... {len(predicted.rows) - SHOWN:,} more")
    echo(f"{len(predicted.rows):,} predictions in {short(predicted.file)}")


def _show_end(made: Ensemble, *, evaluated: bool) -> None:
    from dlrun.files import short

    echo(f"ensemble  {short(made.folder)}")
    if not evaluated:
        echo(f"next      dlrun ensemble {short(made.folder)} --evaluate")
