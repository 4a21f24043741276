"""The user's own texts: a CSV file with a column of texts and a column of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._cache import cached_if_worth
from dlrun.data._columns import find_column
from dlrun.data._csv_files import Form, Table, read_table
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.data._targets import label_aliases, target_values, task_of
from dlrun.data._texts import TextsEncoder, check_tokens, vocabulary_rows
from dlrun.data._tokens import Splitting, indexed, word_chunks, words_of
from dlrun.errors import DataError, did_you_mean, listing
from dlrun.spec import Count, DataPath


@dlrun.dataset("text_csv")
def text_csv(
    context: DataContext,
    *,
    path: DataPath,
    text: str | int,
    label: str | int,
    test_path: DataPath | None = None,
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto",
    positive: str | None = None,
    num_words: Count = 10000,
    encoding: Literal["multi_hot", "count", "tf_idf", "one_hot", "sequence"] = "multi_hot",
    maxlen: Count = 500,
    padding: Literal["pre", "post"] = "pre",
    truncating: Literal["pre", "post"] = "pre",
    reverse: bool = False,
    unknown: Literal["drop", "mark"] = "drop",
    lower: bool = True,
    level: Literal["word", "character"] = "word",
    punctuation: Literal["divide", "keep"] = "divide",
    ngrams: int = 1,
    hashing: bool = False,
    vocabulary_from: int | Literal["training", "all_training"] = "training",
    header: bool | Literal["auto"] = "auto",
    delimiter: str = "auto",
    file_encoding: str = "utf-8",
) -> Dataset:
    """Texts and their labels from a .csv, .tsv or .txt file (.gz too): one column of each.

    `path`: the file; `test_path`: another one that becomes the test part.
    `text`, `label`: the columns, by name or by number (from 1, or from -1 backwards).
    `task`: found from the labels unless given. `positive`: the positive label of a binary task (empty: the second).
    The other options are those of `text_folder`: `num_words`, `lower`, `level`, `punctuation`, `unknown`, `hashing`,
    `vocabulary_from`, `encoding`, `ngrams`, `maxlen`, `padding`, `truncating`, `reverse`.
    `header`, `delimiter`: as for `csv`. `file_encoding`: as Python names it.
    `predict` takes CSV files with the column of texts, or a text per line.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own texts", hint="run it without --sample")
    check_tokens(num_words, maxlen, encoding, ngrams)
    splitting = Splitting(lower, level, punctuation)
    form = Form(delimiter, header, file_encoding, ("",))
    files = [context.locate(name) for name in (path, test_path) if name]
    table = read_table(files[0], form, [name for name in (text, label) if isinstance(name, str)])
    columns = find_column(table, text, ("data", "text")), find_column(table, label, ("data", "label"))
    if columns[0] == columns[1]:
        raise DataError(f"the column {columns[0]!r} is text and label at once", key=("data", "label"))
    what = task_of(table, columns[1], task, positive)
    tables = [table, *(_further(file, table, columns) for file in files[1:])]
    for one in tables:
        check_filled_label(one, columns[1])
    texts = [cell for one in tables for cell in one.columns[columns[0]]]
    values = [target_values(one, columns[1:], what, label_aliases(one, columns[1], what)) for one in tables]
    key = [columns[0], delimiter, table.named, file_encoding, asdict(splitting)]
    parts = {"training": np.arange(tables[0].rows), "test": np.arange(tables[0].rows, len(texts))} if test_path else {}
    learned, notes = vocabulary_rows(vocabulary_from, len(texts), parts)
    raw = words_of(cached_if_worth("text_csv", files, key, lambda: word_chunks(indexed(texts, splitting))))
    return Dataset(
        name="text_csv",
        raw={"words": raw["words"]},
        shared={"vocabulary": raw["vocabulary"]},
        targets={columns[1]: np.concatenate(values)},
        encoder=TextsEncoder(
            num_words=num_words,
            encoding=encoding,
            maxlen=maxlen,
            padding=padding,
            truncating=truncating,
            reverse=reverse,
            splitting=splitting,
            ngrams=ngrams,
            hashing=hashing,
            unknown=unknown,
            vocabulary_rows=learned,
            column=columns[0],
            form=Form("auto", table.named, file_encoding, ("",)),
        ),
        tasks={columns[1]: what},
        parts=parts,
        files=files,
        scale_targets=what.kind == "regression",
        notes=[*_empty_note(raw["words"]), *notes],
    )


def check_filled_label(table: Table, name: str) -> None:
    """Raises DataError at the first row without label."""
    cells = table.columns[name]
    if "" in cells:
        raise DataError(
            f"{table.place(cells.index(''), name)}: the label is missing in {cells.count(''):,} rows",
            received="this is the first of them",
            hint="leave these rows out of the file",
        )


def _empty_note(rows: np.ndarray) -> list[str]:
    empty = sum(not len(row) for row in rows)
    return [f"{empty:,} of {len(rows):,} texts hold no word"] if empty else []


def _further(file: Path, first: Table, columns: Sequence[str]) -> Table:
    """The table of `test_path`, with the columns of the first. Raises DataError when it has not."""
    table = read_table(file, Form("auto", first.named, first.form.encoding, ("",)))
    for name in columns:
        if name not in table.columns:
            raise DataError(
                f"{file}: the column {name!r} is missing",
                key=("data", "test_path"),
                received=listing(table.columns),
                hint=did_you_mean(name, table.columns),
            )
    return table
