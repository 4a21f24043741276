"""An evaluation on the screen: metrics with their intervals, classes, confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dlrun.cli._output import err, number, plain_table
from dlrun.cli._output import show as show_table
from dlrun.files import short
from dlrun.run_dir import RunDir

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.evaluate import Evaluation

MOST_CLASSES = 12


def show(evaluation: Evaluation, run: RunDir | None, *, quiet: bool, notes: list[str]) -> None:
    """Print an evaluation; `quiet` leaves the metrics only."""
    for note in [*notes, *evaluation.notes]:
        err().print(f"note: {note}", style="yellow", markup=False)
    unit = f" ({evaluation.unit})" if evaluation.unit else ""
    typer.echo(f"{evaluation.split}: {evaluation.score.rows:,} rows{unit}")
    show_table(_metrics(evaluation))
    if quiet:
        return
    score = evaluation.score
    if score.per_class and len(score.per_class) <= MOST_CLASSES:
        typer.echo()
        show_table(_classes(evaluation))
    if score.confusion and len(score.confusion) <= MOST_CLASSES:
        typer.echo()
        show_table(_confusion(evaluation))
    if evaluation.file and run:
        typer.echo(f"\nwritten to {short(evaluation.file)}")
    if evaluation.reading and evaluation.reading > 1:
        err().print(
            f"note: this run's test part has been read {evaluation.reading} times; do not choose by it",
            style="yellow",
        )


def _metrics(evaluation: Evaluation) -> Table:
    score = evaluation.score
    table = plain_table("metric", "value", "95 % interval", "baseline", left=("metric",))
    for name, value in score.values.items():
        interval = " to ".join(map(number, score.intervals.get(name, ())))
        level = evaluation.baselines.get(name)
        table.add_row(name, f"[bold]{number(value)}[/]", interval, number(level) if level is not None else "")
    return table


def _classes(evaluation: Evaluation) -> Table:
    from rich.markup import escape

    table = plain_table("class", "precision", "recall", "f1", "rows", left=("class",))
    for row in evaluation.score.per_class:
        shares = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(escape(row["label"]), *shares, f"{row['rows']:,}")
    return table


def _confusion(evaluation: Evaluation) -> Table:
    from rich.markup import escape

    corner = "true, by row"
    table = plain_table(corner, *map(escape, evaluation.labels), left=(corner,))
    for true, (label, row) in enumerate(zip(evaluation.labels, evaluation.score.confusion, strict=True)):
        styles = ["bold" if column == true else "dim" if not n else "none" for column, n in enumerate(row)]
        cells = [f"[{style}]{n}[/]" for style, n in zip(styles, row, strict=True)]
        table.add_row(escape(label), *cells)
    return table
