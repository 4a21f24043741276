"""Permutation importance: how much worse a model gets when the values of a column change places between rows.

Source: Breiman, Random Forests, 2001, section 10; on rows that did not train, several times for each column.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Encoder
from dlrun.data._series import SeriesEncoder
from dlrun.data._table import TableEncoder
from dlrun.engine.compiling import compile_model, resolve_monitor, settled_outputs, settled_sections
from dlrun.explain._pictures import draw_importances
from dlrun.explain._subject import Subject, Written
from dlrun.seeds import child_seed

REPEATS = 5
MOST_ROWS, LEAST_ROWS = 4096, 512
MOST_VALUES = 2**19  # of the inputs of all rows; of a series that are fewer rows than of a table
MOST_COLUMNS = 100
MOST_LAGS = 24  # blocks of steps of a series
STEPS = "steps"  # which stay in their order in a picture

Shuffled = Callable[[np.ndarray], np.ndarray]  # an order `(rows,)` of the rows: inputs with one column in that order


@dataclass(frozen=True)
class Importances:
    """How much worse a metric gets without each column: `repeats` `(columns, repeats)` of the column names; positive is
    worse, whether the metric shall be large or small. `level` is the metric with all columns as they are.
    """

    metric: str
    level: float
    names: list[str]
    repeats: np.ndarray

    def table(self) -> list[dict[str, Any]]:
        """A row for each column, the most important one first."""
        means, spreads = self.repeats.mean(axis=1), self.repeats.std(axis=1, ddof=1)
        order = np.argsort(-means, kind="stable")
        return [
            {"column": self.names[i], "importance": float(means[i]), "spread": float(spreads[i])}
            for i in order.tolist()
        ]


def unfit(encoder: Encoder) -> str | None:
    """Why there are no columns whose values could change places, or None."""
    if isinstance(encoder, TableEncoder | SeriesEncoder):
        count = len(encoder.kinds) if isinstance(encoder, TableEncoder) else len(encoder.columns)
    elif isinstance(encoder, ArrayEncoder) and len(encoder.shape) == 1 and not encoder.vocabulary_size:
        count = encoder.shape[0]
    else:
        return "it is for tables and series"
    return None if count <= MOST_COLUMNS else f"{count:,} columns are more than {MOST_COLUMNS}"


def explain_importance(subject: Subject) -> list[Written]:
    """A picture of the columns; of a series one of its features and one of its steps."""
    options, data = subject.options, subject.data
    assert data is not None, "own inputs have no targets"
    rows = data.splits[options.split]
    random = np.random.default_rng(child_seed(options.seed, "explain", "rows"))
    size = math.prod(length or 1 for one in data.spec.inputs.values() for length in one.shape)
    most = min(MOST_ROWS, max(LEAST_ROWS, MOST_VALUES // size), len(rows))
    rows = np.sort(random.choice(rows, most, replace=False))
    inputs = keras.ops.convert_to_numpy(subject.feeder.inputs(rows))
    measure, metric, sign = _measured(subject, rows)
    written = []
    for name, columns in _groups(subject, rows, inputs).items():
        found = importances(measure, inputs, columns, metric, sign, child_seed(options.seed, "explain", name))
        table = found.table()
        level = f"{options.split}, {len(rows):,} rows: {metric} {found.level:.4g}"
        label = f"{metric}: how much worse, each of {REPEATS} times"
        file = subject.file("importance", f"{name}.png")
        shown = ([*found.names[::-1]], found.repeats[::-1]) if name == STEPS else _ascending(found)
        draw_importances(*shown, file, label=label, title=level)
        telling = ", ".join(f"{row['column']} {row['importance']:.4g} ± {row['spread']:.2g}" for row in table[:3])
        facts = {"metric": metric, "level": found.level, "rows": len(rows), "repeats": REPEATS, "columns": table}
        written.append(Written("importance", name, file, f"{metric} {found.level:.4g}; {telling}", facts))
    return written


def _ascending(found: Importances) -> tuple[list[str], np.ndarray]:
    order = np.argsort(found.repeats.mean(axis=1), kind="stable")
    return [found.names[place] for place in order], found.repeats[order]


def importances(
    measure: Callable[[np.ndarray], float],
    inputs: np.ndarray,
    columns: dict[str, Shuffled],
    metric: str,
    sign: float,
    seed: int,
) -> Importances:
    """Measure the inputs as they are, then `REPEATS` times for each column; `sign` is 1 where less is better."""
    random, level = np.random.default_rng(seed), measure(inputs)
    found = [
        [sign * (measure(shuffled(random.permutation(len(inputs)))) - level) for _ in range(REPEATS)]
        for shuffled in columns.values()
    ]
    return Importances(metric, level, list(columns), np.array(found))


def _measured(subject: Subject, rows: np.ndarray) -> tuple[Callable[[np.ndarray], float], str, float]:
    """What measures the monitored metric for inputs of these rows, its name, and 1 where less is better, else -1."""
    data = subject.data
    assert data is not None
    config = subject.config.model_copy(update=settled_sections(subject.config, data))
    outputs = settled_outputs(config, data.spec)
    monitored, mode = resolve_monitor(config, outputs, validated="validation" in data.splits)
    metric = monitored.removeprefix("val_")
    compile_model(subject.model, config, data.spec)
    targets = subject.feeder.batch(subject.feeder.tensors, rows)[1]
    model = subject.model

    def measure(inputs: np.ndarray) -> float:
        model.reset_metrics()
        return float(model.test_on_batch(inputs, targets, return_dict=True)[metric])

    return measure, metric, 1.0 if mode == "min" else -1.0


def _groups(subject: Subject, rows: np.ndarray, inputs: np.ndarray) -> dict[str, dict[str, Shuffled]]:
    """What may change places, by the name of the picture and of the column."""
    encoder = subject.encoder
    if isinstance(encoder, TableEncoder):
        return {"columns": _columns_of_table(encoder, subject, rows)}
    if isinstance(encoder, SeriesEncoder):
        steps = np.array_split(np.arange(inputs.shape[1]), min(MOST_LAGS, inputs.shape[1]))
        back = [encoder.lookback - encoder.step * place for place in range(inputs.shape[1])]
        back = back[::-1] if encoder.reverse else back
        lags = {_span(back[part[0]], back[part[-1]]): _shuffled(inputs, (slice(None), part)) for part in steps}
        features = {name: _shuffled(inputs, (..., place)) for place, name in enumerate(encoder.columns)}
        return {"features": features, STEPS: lags}
    (name,) = encoder.inputs()
    names = [f"{name} {place + 1}" for place in range(inputs.shape[1])]
    return {"columns": {name: _shuffled(inputs, (..., place)) for place, name in enumerate(names)}}


def _span(first: int, last: int) -> str:
    return f"{first} back" if first == last else f"{first} to {last} back"


def _shuffled(inputs: np.ndarray, where: Any) -> Shuffled:
    def shuffled(order: np.ndarray) -> np.ndarray:
        changed = inputs.copy()
        changed[where] = inputs[order][where]
        return changed

    return shuffled


def _columns_of_table(encoder: TableEncoder, subject: Subject, rows: np.ndarray) -> dict[str, Shuffled]:
    """Columns change places before they are encoded, so that a category with all its zeros and ones moves as one."""
    raw = {name: subject.raw[name][rows] for name in encoder.kinds}

    def of(name: str) -> Shuffled:
        return lambda order: encoder.apply({**raw, name: raw[name][order]})["features"]

    return {name: of(name) for name in encoder.kinds}
