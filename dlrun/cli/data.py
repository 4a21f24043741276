"""`dlrun data`: what the model will really see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import DataDir, Json, Sample, Set, Verbose
from dlrun.cli._output import echo
from dlrun.cli._output import note as show_note

if TYPE_CHECKING:
    from dlrun.inspect_data import Inspection, TargetFacts

MOST_LABELS = 20


def data(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or the name of a shipped config.",
            autocompletion=_options.complete_config,
        ),
    ],
    overrides: Set = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Draw images, histograms or series into this folder.")
    ] = None,
    data_dir: DataDir = None,
    sample: Sample = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what the model will see of a config's data: parts, shapes, ranges, classes, examples, memory."""
    from dataclasses import asdict

    from dlrun.cli._output import print_json

    loaded = _options.load(config, [*(overrides or []), *_options.data_overrides(data_dir, sample=sample)])
    _options.start_keras(loaded, verbose=verbose)
    from dlrun.inspect_data import inspect_data

    found = inspect_data(loaded, plot=plot)
    if as_json:
        print_json({"data": asdict(found)})
    else:
        _show(found)


def _show(found: Inspection) -> None:
    from rich.markup import escape

    from dlrun.cli._output import show_labels
    from dlrun.files import short

    for note in found.notes:
        show_note(note)
    parts = ", ".join(f"{count:,} {name}" for name, count in found.rows.items())
    rows = [("data", escape(f"{found.dataset}: {parts} (split: {found.split_kind})"))]
    rows += [("file", escape(short(path))) for path in found.files]
    rest, batch = _size(found.rest_bytes), _size(found.batch_bytes)
    rows += [("memory", f"{rest} at rest; {batch} per batch of {found.batch_size}")]
    rows += [("picture", escape(short(path))) for path in found.pictures]
    show_labels(rows)
    echo()
    _show_inputs(found)
    for target in found.targets:
        echo()
        _show_target(target, found.rows["training"])
    echo()
    _show_examples(found)


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"


def _show_inputs(found: Inspection) -> None:
    from rich.markup import escape

    from dlrun.cli._output import number, plain_table, show

    columns = ("input", "shape", "type", "min", "max", "mean")
    table = plain_table(*columns, left=("input", "shape", "type"))
    for one in found.inputs:
        shape = "(" + ", ".join(["batch", *map(str, one.shape)]) + ")"
        kind = f"{one.dtype}, ids below {one.vocabulary_size:,}" if one.vocabulary_size else one.dtype
        numbers = map(number, (one.values.low, one.values.high, one.values.mean))
        table.add_row(escape(one.name), shape, kind, *numbers)
    show(table)


def _show_target(target: TargetFacts, rows: int) -> None:
    from rich.markup import escape

    from dlrun.cli._output import number, plain_table, show

    heading = f"{target.name} ({target.kind})"
    if target.values:
        unit = f", in {target.unit}" if target.unit else ""
        heading = f"{target.name} ({target.kind}{unit}{'; scaled for training' if target.scaled else ''})"
        table = plain_table(heading, "min", "max", "mean", left=(heading,))
        for split, values in target.values.items():
            table.add_row(split, *map(number, (values.low, values.high, values.mean)))
        show(table)
        return
    table = plain_table(heading, *target.counts, "share", left=(heading,))
    training = target.counts["training"]
    for label in list(training)[:MOST_LABELS]:
        counts = (f"{part[label]:,}" for part in target.counts.values())
        table.add_row(escape(label), *counts, f"{training[label] / rows:.1%}")
    show(table)
    if len(training) > MOST_LABELS:
        echo(f"... {len(training) - MOST_LABELS} more labels; --json has all")


def _show_examples(found: Inspection) -> None:
    from rich.markup import escape

    from dlrun.cli._output import plain_table, show

    table = plain_table("row", "example", "target", left=("example", "target"))
    for one in found.examples:
        text = one.text if one.text != f"row {one.row}" else ""
        table.add_row(f"{one.row:,}", escape(text), escape(one.target))
    show(table)
