"""The user's own CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

import dlrun
from dlrun.data._columns import categories, column_kind, find_column, numbers
from dlrun.data._csv_files import Form, Table, is_number, read_table
from dlrun.data._dataset import Arrays, Dataset
from dlrun.data._sources import DataContext
from dlrun.data._table import TableEncoder
from dlrun.data._targets import Target, check_filled, label_aliases, one_task, one_task_each, target_values
from dlrun.data._transforms import Chain
from dlrun.errors import DataError, listing
from dlrun.spec import DataPath, Transforms


@dlrun.dataset("csv")
def csv(
    context: DataContext,
    *,
    path: DataPath,
    target: str | int | list[str | int] | dict[str | int, Literal["auto", "binary", "multiclass", "regression"]],
    test_path: DataPath | None = None,
    task: Literal["auto", "binary", "multiclass", "multilabel", "regression"] = "auto",
    positive: str | None = None,
    header: bool | Literal["auto"] = "auto",
    delimiter: str = "auto",
    decimal: Literal["auto", ".", ","] = "auto",
    encoding: str = "utf-8",
    missing: list[str] = ["", "?", "NA", "N/A", "NaN", "nan", "null", "None"],  # noqa: B006  read as a literal, not changed
    columns: dict[str, Literal["numeric", "categorical", "ignore"]] = {},  # noqa: B006
    drop: list[str | int] = [],  # noqa: B006
    numeric_transforms: Transforms = ["impute", "standardise"],  # noqa: B006
    categorical_transforms: Transforms = ["one_hot"],  # noqa: B006
    scale_target: bool | Literal["auto"] = "auto",
    drop_missing_target: bool = False,
) -> Dataset:
    """A table from a .csv, .tsv or .txt file (.gz too): numbers and categories in, one or several targets out.

    `path`: the file; `test_path`: another one that becomes the test part.
    `target`: the column to predict, by name or by number (from 1, or from -1 backwards); a list of columns of numbers
    is one regression with several outputs, a list of columns of 0 and 1 one multilabel task; a mapping of columns to
    tasks (or auto) is for models with several outputs.
    `task`: found from the target's values unless given; up to 20 different whole numbers count as classes.
    `positive`: the positive label of binary tasks (empty: the second in order).
    `header`: whether the first row holds names; without one the columns are column_1, column_2, ...
    `delimiter`: one character, or comma, semicolon, tab, pipe, space (any white space).
    `decimal`: the mark in numbers, found unless given: a comma if another delimiter stands between the cells.
    `encoding`: as Python names it. `missing`: cells that mean nothing is there.
    `columns`: numeric, categorical or ignore, by name, where the finding is wrong: columns of numbers are numeric,
    others categorical; row numbers and texts that hardly repeat are ignored, with a note. `drop`: columns to leave out.
    `numeric_transforms`, `categorical_transforms`: in this order, learned from the training rows.
    `scale_target`: train on standardised targets (auto: for regression); what dlrun reports is in original units.
    `drop_missing_target`: leave out rows without target instead of stopping.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own csv file", hint="run it without --sample")
    file = context.locate(path)
    wanted = list(target) if isinstance(target, list | dict) else [target]
    names = [name for name in wanted if isinstance(name, str)]
    table = read_table(file, Form(delimiter, header, encoding, tuple(missing), decimal), names)
    targets = _target_names(table, wanted)
    kinds, notes = _feature_kinds(table, targets, columns, [find_column(table, d, ("data", "drop")) for d in drop])
    notes += ["numbers are read with a decimal comma (data.decimal)"] if table.form.decimal == "," else []
    encoder = TableEncoder(
        kinds,
        layout=list(table.columns),
        targets=targets,
        named=table.named,
        form=table.form,
        chains={
            "numeric": Chain.from_config(numeric_transforms),
            "categorical": Chain.from_config(categorical_transforms),
        },
    )
    if isinstance(target, dict):
        wishes = dict(zip(targets, target.values(), strict=True))
        found = one_task_each(table, wishes, task, positive)
    else:
        found = [one_task(table, targets, task, positive)]
    notes += [note for one in found if (note := _note_on_classes(one))]
    kinds_of_tasks = {one.task.kind for one in found}
    files = [file, context.locate(test_path)] if test_path else [file]
    tables = [table, *(_further(encoder, other, targets) for other in files[1:])]
    parts = [_read_part(part, encoder, found, drop_missing_target, notes) for part in tables]
    counts = [len(next(iter(values.values()))) for _, values, _ in parts]
    return Dataset(
        name="csv",
        raw={column: np.concatenate([raw[column] for raw, _, _ in parts]) for column in kinds},
        targets={one.name: np.concatenate([values[one.name] for _, values, _ in parts]) for one in found},
        encoder=encoder,
        tasks={one.name: one.task for one in found},
        parts={"training": np.arange(counts[0]), "test": np.arange(counts[0], sum(counts))} if test_path else {},
        columns={c: np.concatenate([rest[c] for _, _, rest in parts]) for c in parts[0][2] if c in parts[-1][2]},
        files=files,
        scale_targets="regression" in kinds_of_tasks if scale_target == "auto" else scale_target,
        notes=notes,
    )


def _target_names(table: Table, wanted: Sequence[str | int]) -> list[str]:
    found = [find_column(table, column, ("data", "target")) for column in wanted]
    if not found or len(set(found)) < len(found):
        what = "no column" if not found else "a column twice"
        raise DataError(f"data.target names {what}", key=("data", "target"), received=listing(found) or None)
    return found


def _note_on_classes(one: Target) -> str | None:
    """What to do when numbers were taken for classes, or None."""
    if not one.guessed or one.task.kind != "multiclass" or not all(map(is_number, one.task.labels)):
        return None
    return f"the target {one.name!r} is read as {len(one.task.labels)} classes; for numbers: {one.as_numbers}"


def _feature_kinds(
    table: Table, targets: Sequence[str], wishes: Mapping[str, str], drop: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """`numeric` or `categorical` by name of the columns that are inputs, and notes on those left out."""
    for name in wishes:
        find_column(table, name, ("data", "columns", name))
    kinds, notes = {}, []
    for name in table.columns:
        if name in targets or name in drop:
            continue
        kind, reason = (wishes[name], "") if name in wishes else column_kind(table, name)
        if reason:
            notes.append(f"column {name!r} is ignored: {reason}; to use it: data.columns: {{{name}: {kind}}}")
        elif kind != "ignore":
            kinds[name] = kind
    if not kinds:
        raise DataError(f"{table.source}: no column is left as input", received="\n".join(notes) or None)
    return kinds, notes


def _further(encoder: TableEncoder, file: Path, targets: Sequence[str]) -> Table:
    """The table of `test_path`. Raises DataError when it has no target."""
    table = encoder.read_file(file)
    for name in targets:
        if name not in table.columns:
            raise DataError(
                f"{file}: the target {name!r} is missing, so this file cannot be the test part",
                key=("data", "test_path"),
                hint="remove data.test_path; after training, `dlrun predict` takes the file",
            )
    return table


def _read_part(
    table: Table, encoder: TableEncoder, targets: Sequence[Target], drop_missing: bool, notes: list[str]
) -> tuple[Arrays, Arrays, Arrays]:
    """Raw input columns, targets by task and all other columns of one file, without the rows that lack a target."""
    filled = check_filled(table, [column for one in targets for column in one.columns], drop_missing)
    if not filled.all():
        notes.append(f"{Path(table.source).name}: {int((~filled).sum()):,} rows without target are left out")
    values = {}
    for one in targets:
        aliases = label_aliases(table, one.columns[0], one.task)
        if aliases:
            pairs = ", ".join(f"{there!r} as {here!r}" for there, here in sorted(aliases.items()))
            notes.append(f"{Path(table.source).name}: labels are read without their full stop: {pairs}")
        values[one.name] = target_values(table, one.columns, one.task, aliases)[filled]
    raw = encoder.raw_columns(table)
    others = {name: raw[name] if name in raw else _plain(table, name) for name in table.columns}
    return (
        {name: column[filled] for name, column in raw.items()},
        values,
        {name: column[filled] for name, column in others.items()},
    )


def _plain(table: Table, name: str) -> Any:
    """A column that is no input, for `split.group` and `split.time`: numbers if they all are, else text."""
    try:
        return numbers(table, name)
    except DataError:
        return categories(table, name)
