"""First configs for the user's own tables and series: what a file seems to hold, and what to make of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlrun.data._columns import column_kind, find_column
from dlrun.data._csv_files import Form, Table, is_number, read_table
from dlrun.data._targets import task_of
from dlrun.errors import ConfigError, DataError
from dlrun.spec import Task

# Names that targets usually have, the surest first.
_TARGETS = (
    r"target|label|labels|class|y|outcome|response|ground_?truth",
    r"survived|diagnosis|species|churn(ed)?|default(ed)?|exited|income|quality|medv|is_[a-z]+|spam|sentiment",
    r"(.*[_ ])?(target|label|class|price|value|cost|salary|score|rating)",
)
_SERIES_TARGETS = r"t \(degc\)|temp(erature)?\b.*|close|load|demand|sales|count|target|y|value"
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([T ]\d{1,2}(:\d{2}){1,2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})?)?")
_WORDS = 8  # so many words in a cell are a text
_RARE = 5  # rows that each class of a guessed target must have
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_NOT_PLAIN = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")


@dataclass
class Draft:
    """A config to be written: sections in YAML's flow form, and what was assumed."""

    name: str
    data: dict[str, Any]
    sections: dict[str, str]
    assumed: list[str] = field(default_factory=list)


def draft_table(path: Path, shown: str, name: str, target: str | None) -> Draft:
    """A config for a CSV file: a series if its rows have a time, texts if a column holds them, else a table.

    `shown` is the path as the config names it, `target` the user's wish. Raises DataError, ConfigError.
    """
    table, encoding = _read(path, target)
    date = _date_column(table)
    columns = list(table.columns)
    if date is not None and all(_is_numeric(table, c) for c in columns if c != date):
        return _series(table, shown, name, date, target)
    chosen, task, why = _choose_target(table, target)
    data: dict[str, Any] = {"name": "csv", "path": shown, "target": _reference(table, chosen)}
    text = _text_column(table, chosen)
    if text is not None:
        data = {"name": "text_csv", "path": shown, "text": _reference(table, text), "label": data["target"]}
        data |= {"file_encoding": encoding} if encoding != "utf-8" else {}
        why += f"; the inputs are the words of {text}"
    else:
        data |= {"encoding": encoding} if encoding != "utf-8" else {}
        data |= _decimal(table)
        data |= {"drop_missing_target": True} if set(table.columns[chosen]) & set(table.form.missing) else {}
        empty = [c for c in columns if c != chosen and not _known(table, c)]
        data |= {"drop": [_reference(table, c) for c in empty]} if empty else {}
    header = "with a header" if table.named else "without a header, so columns go by number"
    assumed = [f"{table.rows:,} rows, {len(columns)} columns, {header}"]
    assumed += [f"target: {chosen} ({_task_text(task)}), {why}; for another one change data.{_key(data)}"]
    assumed += _ignored(table, chosen) if text is None else []
    return Draft(name, data, _sections(table.rows, texts=text is not None), assumed)


def _read(path: Path, target: str | None) -> tuple[Table, str]:
    """The table and the encoding that fits it."""
    known = [target] if target else []
    try:
        return read_table(path, Form(decimal="auto"), known), "utf-8"
    except DataError as error:
        if "is not utf-8" not in str(error):
            raise
    return read_table(path, Form(encoding="latin-1", decimal="auto"), known), "latin-1"


def _decimal(table: Table) -> dict[str, str]:
    return {"decimal": ","} if table.form.decimal == "," else {}


def _choose_target(table: Table, wish: str | None) -> tuple[str, Task, str]:
    """The target's name, its task, and why this one."""
    if wish is not None:
        number = int(wish) if re.fullmatch(r"-?\d+", wish) and wish not in table.columns else wish
        name = find_column(table, number, ("data", "target"))
        return name, task_of(table, name, "auto", None), "as you said"
    for name, why in _candidates(table):
        try:
            task = task_of(table, name, "auto", None)
        except DataError:
            continue
        counts = Counter(table.columns[name])
        if task.kind == "regression" or min(counts[label] for label in task.labels) >= _RARE:
            return name, task, why
    raise ConfigError(
        f"{table.source}: no column can be told to be the target", hint="name it: --target COLUMN (a name or a number)"
    )


def _candidates(table: Table) -> Iterator[tuple[str, str]]:
    for pattern in _TARGETS:
        for name in table.columns:
            if table.named and re.fullmatch(pattern, name.strip().lower()):
                yield name, "by its name"
    for place, name in enumerate(reversed(table.columns)):
        if _known(table, name) and not column_kind(table, name)[1]:
            yield name, "being the last column" if place == 0 else "the last column that can be one"


def _task_text(task: Task) -> str:
    if task.kind == "regression":
        return "regression"
    labels = ", ".join(task.labels[:5]) + (", ..." if len(task.labels) > 5 else "")
    return f"{task.kind}: {labels}"


def _ignored(table: Table, target: str) -> list[str]:
    notes = []
    for name in table.columns:
        if name != target and _known(table, name):
            kind, reason = column_kind(table, name)
            notes += [f"{name} is ignored: {reason}; to use it: data.columns: {{{name}: {kind}}}"] if reason else []
    return notes


def _series(table: Table, shown: str, name: str, date: str, wish: str | None) -> Draft:
    """A forecast of one column from windows of all columns."""
    numeric = [column for column in table.columns if column != date and _known(table, column)]
    if not numeric:
        raise ConfigError(f"{table.source}: there is no column of numbers beside {date}")
    if wish is None:
        named = [column for column in numeric if re.fullmatch(_SERIES_TARGETS, column.strip().lower())]
        target, why = (named[0], "by its name") if named else (numeric[-1], "being the last column")
    else:
        target, why = _choose_target(table, wish)[0], "as you said"
    lookback = max(2, min(120, table.rows // 20))
    delay = max(1, lookback // 5)
    data: dict[str, Any] = {"name": "timeseries_csv", "path": shown, "target": _reference(table, target)}
    data |= {"lookback": lookback, "delay": delay, "test": 0.2} | _decimal(table)
    sections = {
        "model": "{name: rnn, cell: gru, units: [32]}",
        "optimizer": "{name: adam}",
        "training": "{epochs: 20, batch_size: 128}",
        "callbacks": "[{name: EarlyStopping, patience: 4}]",
    }
    assumed = [
        f"{table.rows:,} rows in time, by {date}; inputs: {len(numeric)} columns of numbers",
        f"target: {target}, {why}; for another one change data.target",
        f"from {lookback} rows the value {delay} rows later is forecast: data.lookback, data.delay; step: 6 takes "
        "every sixth row",
        "the first rows train, the last fifth is the test part",
    ]
    return Draft(name, data, sections, assumed)


def _sections(rows: int, *, texts: bool) -> dict[str, str]:
    """Split, model and training that suit a table, or texts, of this many rows."""
    batch, epochs = (32, 50) if rows < 5_000 else (128, 30) if rows < 50_000 else (512, 15)
    hidden = "[16, 16]" if texts else "[32, 16]" if rows < 5_000 else "[64, 32]"
    return {
        "split": "{validation: 0.2, test: 0.2}",
        "model": f"{{name: mlp, hidden: {hidden}, dropout: 0.2}}",
        "optimizer": "{name: adam}",
        "training": f"{{epochs: {min(epochs, 20) if texts else epochs}, batch_size: {batch}}}",
        "callbacks": f"[{{name: EarlyStopping, patience: {3 if texts else 8}}}]",
    }


def _date_column(table: Table) -> str | None:
    """The first column whose cells are dates, nearly all different."""
    for name, column in table.columns.items():
        some = column[:50]
        if all(_DATE.fullmatch(cell) for cell in some) and len(set(column)) > 0.9 * len(column) > 18:
            return name
    return None


def _text_column(table: Table, target: str) -> str | None:
    """The column with the longest texts, if they have several words and there is no column of numbers beside it."""
    words = {}
    for name in table.columns:
        if name == target or not _known(table, name):
            continue
        if column_kind(table, name) == ("numeric", ""):
            return None
        some = table.columns[name][:200]
        words[name] = sum(len(cell.split()) for cell in some) / len(some)
    longest = max(words, key=words.__getitem__, default=None)
    return longest if longest is not None and words[longest] >= _WORDS else None


def _known(table: Table, name: str) -> set[str]:
    return set(table.columns[name]).difference(table.form.missing)


def _is_numeric(table: Table, name: str) -> bool:
    return all(map(is_number, _known(table, name)))


def _reference(table: Table, name: str) -> str | int:
    """How the config names a column: by name, or by number when there are no names."""
    if table.named:
        return name
    place = list(table.columns).index(name) + 1
    return -1 if place == len(table.columns) else place


def _key(data: dict[str, Any]) -> str:
    return "label" if "label" in data else "target"


def yaml_value(value: Any) -> str:
    """A value in YAML's flow form."""
    if isinstance(value, bool) or not isinstance(value, str | list | dict):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(map(yaml_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{yaml_value(key)}: {yaml_value(item)}' for key, item in value.items())}}}"
    plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_PLAIN
    return value if plain else json.dumps(value, ensure_ascii=False)
