"""An evaluation on the screen: metrics with their intervals, classes, confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.cli._output import echo, err, number, plain_table
from dlrun.cli._output import note as show_note
from dlrun.cli._output import show as show_table
from dlrun.files import short
from dlrun.run_dir import RunDir

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.evaluate import Evaluation, OutputScore

MOST_CLASSES = 12


def show(evaluation: Evaluation, run: RunDir | None, *, quiet: bool, notes: list[str]) -> None:
    """Print an evaluation; `quiet` leaves the metrics only."""
    for note in [*notes, *evaluation.notes]:
        show_note(note)
    rows = next(iter(evaluation.outputs.values())).score.rows
    if len(evaluation.outputs) > 1:
        echo(f"{evaluation.split}: {rows:,} rows")
    for name, output in evaluation.outputs.items():
        unit = f" ({output.unit})" if output.unit else ""
        several = len(evaluation.outputs) > 1
        echo(f"\n{name}{unit}" if several else f"{evaluation.split}: {rows:,} rows{unit}")
        show_table(_metrics(output))
        if not quiet:
            _show_classes(output)
    for name, value in evaluation.total.items():
        echo(f"\n{name} of all outputs: {number(value)}")
    if quiet:
        return
    if evaluation.file and run:
        echo(f"\nwritten to {short(evaluation.file)}")
    if evaluation.reading and evaluation.reading > 1:
        err().print(
            f"note: this run's test part has been read {evaluation.reading} times; do not choose by it [guard: test]",
            style="yellow",
            markup=False,
        )


def _show_classes(output: OutputScore) -> None:
    score = output.score
    if score.per_class and len(score.per_class) <= MOST_CLASSES:
        echo()
        show_table(_classes(output))
    if score.confusion and len(score.confusion) <= MOST_CLASSES:
        echo()
        show_table(_confusion(output))


def _metrics(output: OutputScore) -> Table:
    """Metrics beside their baselines; a column for shuffled labels where there are classes."""
    from rich.markup import escape

    score, levels = output.score, output.baselines
    shuffled = ("shuffled labels",) if any(name.endswith("_shuffled") for name in levels) else ()
    table = plain_table("metric", "value", "95 % interval", "baseline", *shuffled, left=("metric",))
    for name, value in score.values.items():
        interval = " to ".join(map(number, score.intervals.get(name, ())))
        known = [levels.get(name), *(levels.get(f"{name}_shuffled") for _ in shuffled)]
        cells = [number(level) if level is not None else "" for level in known]
        table.add_row(escape(name), f"[bold]{number(value)}[/]", interval, *cells)
    return table


def _classes(output: OutputScore) -> Table:
    from rich.markup import escape

    table = plain_table("class", "precision", "recall", "f1", "rows", left=("class",))
    for row in output.score.per_class:
        shares = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(escape(row["label"]), *shares, f"{row['rows']:,}")
    return table


def _confusion(output: OutputScore) -> Table:
    from rich.markup import escape

    corner = "true, by row"
    table = plain_table(corner, *output.labels, left=(corner,))
    for true, (label, row) in enumerate(zip(output.labels, output.score.confusion, strict=True)):
        styles = ["bold" if column == true else "dim" if not n else "none" for column, n in enumerate(row)]
        cells = [f"[{style}]{n}[/]" for style, n in zip(styles, row, strict=True)]
        table.add_row(escape(label), *cells)
    return table
