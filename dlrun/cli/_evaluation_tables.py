"""An evaluation on the screen: metrics with their intervals, classes, confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.cli._options import short
from dlrun.cli._output import err, out
from dlrun.run_dir import RunDir

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.evaluate import Evaluation

MOST_CLASSES = 12


def show(evaluation: Evaluation, run: RunDir | None, *, quiet: bool, notes: list[str]) -> None:
    """Print an evaluation; `quiet` leaves the metrics only."""
    console = out()
    for note in [*notes, *evaluation.notes]:
        err().print(f"note: {note}", style="yellow", markup=False)
    console.print(_metrics(evaluation))
    if quiet:
        return
    score = evaluation.score
    if score.per_class and len(score.per_class) <= MOST_CLASSES:
        console.print()
        console.print(_classes(evaluation))
    if score.confusion and len(score.confusion) <= MOST_CLASSES:
        console.print()
        console.print(_confusion(evaluation))
    if evaluation.file and run:
        console.print(f"\nwritten to {short(evaluation.file)}", markup=False)
    if evaluation.reading and evaluation.reading > 1:
        err().print(
            f"note: this run's test part has now been read {evaluation.reading} times; choosing by it makes it a validation part",
            style="yellow",
        )


def _metrics(evaluation: Evaluation) -> Table:
    from rich.table import Table

    score = evaluation.score
    unit = f", {evaluation.unit}" if evaluation.unit else ""
    table = Table(box=None, pad_edge=False, title=f"{evaluation.split}: {score.rows:,} rows{unit}", title_justify="left")
    for heading in ("metric", "value", "95 % interval", "baseline"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name, value in score.values.items():
        low, high = score.intervals.get(name, (None, None))
        interval = f"{low:,.4f} to {high:,.4f}" if low is not None else ""
        level = evaluation.baselines.get(name)
        table.add_row(name, f"[bold]{value:,.4f}[/]", interval, f"{level:,.4f}" if level is not None else "")
    return table


def _classes(evaluation: Evaluation) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("class", "precision", "recall", "f1", "rows"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for row in evaluation.score.per_class:
        shares = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(escape(row["label"]), *shares, f"{row['rows']:,}")
    return table


def _confusion(evaluation: Evaluation) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("true \\ predicted")
    for label in evaluation.labels:
        table.add_column(escape(label), justify="right")
    for number, (label, row) in enumerate(zip(evaluation.labels, evaluation.score.confusion, strict=True)):
        cells = [f"[bold]{n}[/]" if column == number else (f"[dim]{n}[/]" if not n else str(n)) for column, n in enumerate(row)]
        table.add_row(escape(label), *cells)
    return table
