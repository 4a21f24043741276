"""`dlrun data`: what the model will really see of a config's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun.config.schema import Config
from dlrun.data._checks import class_codes, label_of
from dlrun.data._dataset import Dataset, Prepared
from dlrun.data_pictures import as_images, draw_histograms, draw_images, draw_series, draw_windows
from dlrun.engine.feeding import Feeder, sample_order
from dlrun.engine.resolve import load_data, open_session, read_data
from dlrun.files import make_folder
from dlrun.registry import scan_file
from dlrun.seeds import child_seed
from dlrun.spec import InputSpec, Task

EXAMPLES = 5
IMAGES = 25
VERSIONS = 9  # of one augmented picture
HISTOGRAM_ROWS = 2000


@dataclass(frozen=True)
class Values:
    """The range of some numbers."""

    low: float
    high: float
    mean: float


@dataclass(frozen=True)
class InputFacts:
    """An input of the model; `values` are those of a real batch, shapes are without the batch axis."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    values: Values
    vocabulary_size: int | None


@dataclass(frozen=True)
class TargetFacts:
    """What is predicted: rows per label (or numbers in original units) for each split, and output if several."""

    name: str
    kind: str
    unit: str
    counts: dict[str, dict[str, int]]
    values: dict[str, Values]
    scaled: bool


@dataclass(frozen=True)
class Example:
    """A training row, decoded, with what is to be predicted."""

    row: int
    text: str
    target: str


@dataclass(frozen=True)
class Inspection:
    """What a config's data turned out to be. `batch_bytes` is one batch of inputs as the model gets it."""

    dataset: str
    split_kind: str
    rows: dict[str, int]
    inputs: list[InputFacts]
    targets: list[TargetFacts]
    examples: list[Example]
    batch_size: int
    rest_bytes: int
    batch_bytes: int
    files: list[Path]
    notes: list[str]
    pictures: list[Path]


def inspect_data(config: Config, *, plot: Path | None = None) -> Inspection:
    """Load, split and prepare the data, make the first batch of training, and tell what is in it.

    `plot`: a folder for pictures. Raises DlrunError.
    """
    with open_session(_only_data(config)):
        raw = read_data(config)
        data = load_data(config, dataset=raw)
        order = sample_order(data.splits["training"], config.training, config.seed, 0)
        feeder = Feeder(data.encoder, {**data.arrays, **data.shared})
        rows = order[: config.training.batch_size]
        batch = _training_batch(data, feeder, rows, config.seed)
        resting = [*data.arrays.values(), *data.shared.values(), *data.targets.values()]
        return Inspection(
            dataset=data.dataset,
            split_kind=data.split_kind,
            rows={name: len(indices) for name, indices in data.splits.items()},
            inputs=[_input_facts(name, one, batch[name]) for name, one in data.spec.inputs.items()],
            targets=[_target_facts(data, name, task) for name, task in data.spec.tasks.items()],
            examples=_examples(data, raw, rows[:EXAMPLES]),
            batch_size=len(rows),
            rest_bytes=sum(array.nbytes for array in resting),
            batch_bytes=sum(array.nbytes for array in batch.values()),
            files=data.files,
            notes=data.notes,
            pictures=_pictures(data, feeder, order, config, make_folder(plot)) if plot else [],
        )


def _only_data(config: Config) -> Config:
    """The config without what data needs not, above all without plugins that give it neither dataset nor transform."""
    plugins = [path for path in config.plugins if any(e.kind in ("dataset", "transform") for e in scan_file(path))]
    routine = Config.model_fields["routine"].default
    return config.model_copy(update={"plugins": plugins, "model": None, "routine": routine})


def _training_batch(data: Prepared, feeder: Feeder, rows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Inputs `(batch, ...)` by name, augmented, as training gets them."""
    return _arrays(data, data.encoder.augment(feeder.inputs(rows), child_seed(seed, "augment")))


def _arrays(data: Prepared, inputs: Any) -> dict[str, np.ndarray]:
    named: Mapping[str, Any] = inputs if isinstance(inputs, Mapping) else {next(iter(data.spec.inputs)): inputs}
    return {name: keras.ops.convert_to_numpy(values) for name, values in named.items()}


def _input_facts(name: str, spec: InputSpec, batch: np.ndarray) -> InputFacts:
    return InputFacts(name, batch.shape[1:], str(batch.dtype), _values(batch), spec.vocabulary_size)


def _values(numbers: np.ndarray) -> Values:
    return Values(float(numbers.min()), float(numbers.max()), float(numbers.mean(dtype="float64")))


def _target_facts(data: Prepared, name: str, task: Task) -> TargetFacts:
    targets = data.original_targets[name]
    parts = {split: targets[rows] for split, rows in data.splits.items() if len(rows)}
    counts = {split: _counts(part, task) for split, part in parts.items()} if task.classifies else {}
    values = {} if task.classifies else {key: _values(one) for key, one in _outputs(parts).items()}
    return TargetFacts(name, task.kind, task.unit, counts, values, name in data.target_scales)


def _outputs(parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The numbers of each part, of each output when there are several."""
    found: dict[str, np.ndarray] = {}
    for split, part in parts.items():
        flat = part.reshape(len(part), -1)
        several = flat.shape[1] > 1
        found |= {
            f"{split}, output {place + 1}" if several else split: flat[:, place] for place in range(flat.shape[1])
        }
    return found


def _counts(targets: np.ndarray, task: Task) -> dict[str, int]:
    """Rows by label; for multilabel targets the rows that have the label."""
    codes = class_codes(targets, task)
    found = targets.sum(axis=0) if codes is None else np.bincount(codes, minlength=len(task.labels))
    return {label: int(count) for label, count in zip(task.labels, found, strict=True)}


def _examples(data: Prepared, dataset: Dataset, rows: np.ndarray) -> list[Example]:
    return [Example(row + 1, _describe(data, dataset, row), _target_text(data, row)) for row in rows.tolist()]


def _describe(data: Prepared, dataset: Dataset, row: int) -> str:
    """The encoder's text for a row; some (images) tell what only reading gives, which is kept in `columns`."""
    raw = dataset.raw | dataset.shared
    try:
        return data.encoder.describe(raw, row)
    except KeyError:
        pass
    try:
        return data.encoder.describe(dataset.columns | raw, row)
    except KeyError:
        return f"row {row + 1}"


def _target_text(data: Prepared, row: int) -> str:
    texts = {name: _one_target(data.original_targets[name][row], task) for name, task in data.spec.tasks.items()}
    return ", ".join(f"{name} {text}" if len(texts) > 1 else text for name, text in texts.items())


def _one_target(value: Any, task: Task) -> str:
    return label_of(task, value) + (f" {task.unit}" if task.unit else "")


def _pictures(data: Prepared, feeder: Feeder, order: np.ndarray, config: Config, folder: Path) -> list[Path]:
    """One picture per input where there is something to draw, and one of each series."""
    made = []
    few = _training_batch(data, feeder, order[:IMAGES], config.seed)
    titles = [_target_text(data, row) for row in order[:IMAGES].tolist()]
    for name, spec in data.spec.inputs.items():
        path, values = folder / f"{name}.png", as_images(few[name], data.arrays.get(name))
        if values.ndim == 4 and values.shape[-1] in (1, 3):
            made.append(draw_images(values, titles, path))
            made += _versions(data, feeder, name, order[:1], config, folder)
        elif values.ndim == 3 and values.dtype.kind == "f":
            made.append(draw_windows(values[:4], titles, path, getattr(data.encoder, "columns", ())))
        elif values.ndim == 2 and spec.vocabulary_size is None:
            many = _arrays(data, feeder.inputs(order[:HISTOGRAM_ROWS]))[name]
            made.append(draw_histograms(many, name, path))
    for name, series in data.shared.items():
        if series.dtype.kind == "f" and series.ndim in (1, 2):
            names = getattr(data.encoder, "columns", ())
            path = folder / f"{name}_whole.png"
            made.append(draw_series(series.reshape(len(series), -1), path, names, _spans(data, len(series))))
    return made


def _versions(data: Prepared, feeder: Feeder, name: str, row: np.ndarray, config: Config, folder: Path) -> list[Path]:
    """A training picture beside random versions of it (DLwP, figure 5-11); nothing where training sees it as it is."""
    plain = feeder.inputs(np.repeat(row, VERSIONS))
    varied = data.encoder.augment(plain, child_seed(config.seed, "augment"))
    if varied is plain:
        return []
    pictures = np.concatenate([_arrays(data, plain)[name][:1], _arrays(data, varied)[name]])
    titles = ["as it is", *(f"version {number + 1}" for number in range(VERSIONS))]
    return [draw_images(as_images(pictures, data.arrays.get(name)), titles, folder / f"{name}_versions.png")]


def _spans(data: Prepared, steps: int) -> dict[str, tuple[int, int]]:
    """From where to where the rows of each part lie in a series, if there is an array at rest that says so."""
    for array in data.arrays.values():
        if array.ndim == 1 and array.dtype.kind in "iu" and array.min() >= 0 and array.max() < steps:
            places = {part: array[rows] for part, rows in data.splits.items() if len(rows)}
            return {part: (int(found.min()), int(found.max())) for part, found in places.items()}
    return {}
