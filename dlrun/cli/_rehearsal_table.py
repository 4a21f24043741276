"""A dry run on the screen."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from dlrun.cli._output import echo, print_json
from dlrun.cli._output import note as show_note
from dlrun.cli._output import show as show_table

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.config.schema import Config
    from dlrun.engine.describing import ModelTable


def show(config: Config, *, as_json: bool) -> None:
    """Rehearse a config and print what was found."""
    from dlrun.rehearse import rehearse

    found = rehearse(config)
    if as_json:
        print_json({"dry_run": asdict(found)})
        return
    trained = bool(found.model.layers)  # not by an estimator, or a routine that changes pictures
    if trained:
        show_table(layer_table(found.model))
    for note in found.notes:
        show_note(note)
    rows = ", ".join(f"{count:,} {name}" for name, count in found.rows.items())
    echo(f"\ndata      {rows}; {found.data_bytes / 2**20:,.1f} MiB at rest")
    if not trained:
        echo("ok        the routine ran; nothing was kept")
        return
    echo(f"memory    about {found.training_bytes / 2**20:,.1f} MiB for weights, optimizer and one batch")
    echo(f"time      about {found.seconds:,.0f} s for {found.epochs} epochs of {found.steps_per_epoch} steps")
    echo("ok        built, trained on a few batches, saved, loaded, predicted; nothing was kept")


def layer_table(model: ModelTable) -> Table:
    """Layers with their output shapes and parameter counts."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("layer", "total")
    table.add_column("kind")
    table.add_column("output shape")
    trainable = model.trainable_parameters
    note = "" if trainable == model.parameters else f" ({trainable:,} trainable)"
    table.add_column("parameters", f"{model.parameters:,}{note}", justify="right")
    for row in model.layers:
        shape = "(" + ", ".join(["batch", *("?" if n is None else str(n) for n in row.shape)]) + ")"
        table.add_row(escape(row.name), escape(row.kind), shape, f"{row.parameters:,}")
    return table
