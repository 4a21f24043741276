"""What is explained: a run's model, and a few rows or the user's own inputs, prepared as in training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from dlrun.config.schema import Config
from dlrun.data._checks import label_of
from dlrun.data._dataset import Arrays, Dataset, Encoder, Prepared, TargetScale
from dlrun.data._fingerprint import same_data
from dlrun.data._saved import Saved, load_preprocessing
from dlrun.data_pictures import as_images
from dlrun.engine.feeding import Feeder
from dlrun.engine.model_files import load_model
from dlrun.engine.resolve import load_data, read_data
from dlrun.errors import ConfigError, DataError, UnknownNameError, did_you_mean, listing
from dlrun.explain._scores import Scorer
from dlrun.files import make_folder
from dlrun.run_dir import COMPLETED, RunDir
from dlrun.seeds import child_seed
from dlrun.spec import Task

MOST_INPUTS = 64  # of the user; they are explained in one batch


@dataclass(frozen=True)
class Options:
    """What is asked for. `what` empty: all that fits; `layers` empty: those that suit each picture; `class_name` None:
    what is predicted; `task` empty: the first. `samples` rows of `split` are looked at, drawn by `seed`, unless inputs
    are given. `filters` of a layer, climbed for `steps`, in pictures of `size` pixels (None: those of training).
    """

    what: Sequence[str] = ()
    layers: Sequence[str] = ()
    class_name: str | None = None
    task: str = ""
    samples: int = 4
    split: str = "validation"
    weights: str = "best"
    target: Literal["logit", "probability"] = "logit"
    seed: int = 0
    filters: int = 16
    steps: int = 40
    size: int | None = None
    sizes: Sequence[float] = ()


@dataclass(frozen=True)
class Written:
    """A file that was written: what it shows of what, and what it says in a few words or numbers."""

    what: str
    of: str
    file: Path
    finding: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Subject:
    """A model with a few samples.

    `rows` index the arrays of `feeder`; `stems` name their files, `texts` tell the samples; `truth` is the label of
    each, None where it is not known; `scale` that of a scaled target. `raw` are the arrays before they came to rest,
    `resting` those at rest. `data` is None when the user gave the inputs.
    """

    options: Options
    config: Config
    model: keras.Model
    encoder: Encoder
    feeder: Feeder
    task_name: str
    task: Task
    scorer: Scorer
    raw: Arrays
    resting: Arrays
    rows: np.ndarray
    stems: list[str]
    texts: list[str]
    truth: list[str | None]
    folder: Path
    scale: TargetScale | None = None
    data: Prepared | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> Any:
        """What the model gets for the samples."""
        return self.feeder.inputs(self.rows)

    @cached_property
    def is_predicted(self) -> bool:
        """Whether the model gives an output for the task, as an autoencoder does not."""
        if getattr(self.model, "outputs", None):
            return True  # of another one loading has told
        found = self.model.predict_on_batch(keras.tree.map_structure(lambda one: one[:1], self.inputs))
        return not isinstance(found, dict) or self.task_name in found

    def as_pictures(self, values: Any) -> np.ndarray | None:
        """Values of the shape of the inputs as pictures `(n, height, width, 1 or 3)`, also where the model gets them
        flattened; None when they are no pictures.
        """
        if isinstance(values, dict):
            return None
        (name,) = self.encoder.inputs()
        found = as_images(keras.ops.convert_to_numpy(values), self.resting.get(name))
        return found if found.ndim == 4 and found.shape[-1] in (1, 3) else None

    def file(self, *parts: str) -> Path:
        """A path below the folder of explanations, whose folder is made."""
        path = self.folder.joinpath(*(re.sub(r"[^\w.-]", "_", part) for part in parts))
        return make_folder(path.parent) / path.name


def load_subject(run: RunDir, config: Config, sources: Sequence[str], options: Options, folder: Path) -> Subject:
    """The model of a run with the rows that `options` ask for, or with the user's inputs. Raises DlrunError."""
    saved = load_preprocessing(run.preprocess)
    model = load_model(run.model_file(options.weights))  # before the data, which takes longer to load
    task_name, task = _task(saved, options.task)
    scorer = Scorer(model, task_name, task, config.output(task_name).loss, options.target)
    parts = _given(saved, sources) if sources else _drawn(run, config, saved, options)
    notes = [*parts.pop("notes", []), *([scorer.note] if scorer.note else [])]
    if (status := run.status()) != COMPLETED:
        notes.append(f"this run is {status}; its model so far is explained")
    return Subject(
        options,
        config,
        model,
        saved.encoder if sources else parts["data"].encoder,
        task_name=task_name,
        task=task,
        scorer=scorer,
        folder=folder,
        scale=saved.target_scales.get(task_name),
        truth=_truth(parts.get("data"), task_name, parts["rows"]),
        notes=notes,
        **parts,
    )


def _task(saved: Saved, wanted: str) -> tuple[str, Task]:
    tasks = saved.spec.tasks
    if not tasks:
        raise ConfigError("the data of this run has no targets, so there is nothing to explain")
    if wanted and wanted not in tasks:
        raise UnknownNameError(
            f"the run has no task {wanted!r}", expected=listing(tasks), hint=did_you_mean(wanted, tasks)
        )
    name = wanted or next(iter(tasks))
    return name, tasks[name]


def _given(saved: Saved, sources: Sequence[str]) -> dict[str, Any]:
    """The user's own inputs, all of them."""
    raw = saved.encoder.read(list(sources))
    rows = np.arange(saved.encoder.row_count(raw))
    if not 0 < len(rows) <= MOST_INPUTS:
        raise DataError(f"there are {len(rows):,} inputs to explain", expected=f"1 to {MOST_INPUTS}")
    texts = [saved.encoder.describe(raw, row) for row in rows.tolist()]
    pictures = "file" in raw
    stems = [
        f"{row + 1:03d}-{Path(texts[row]).stem[:40]}" if pictures else f"input-{row + 1:05d}" for row in rows.tolist()
    ]
    resting = saved.encoder.apply(raw)
    return {"raw": raw, "resting": resting, "feeder": Feeder(saved.encoder, resting), "rows": rows} | {
        "texts": [Path(text).name for text in texts] if pictures else texts,
        "stems": stems,
    }


def _drawn(run: RunDir, config: Config, saved: Saved, options: Options) -> dict[str, Any]:
    """Some rows of a part of the run's data, drawn by the seed."""
    dataset = read_data(config)
    data = load_data(config, saved, dataset=dataset)
    if options.split not in data.splits:
        hint = "dlrun explain takes --split training, or inputs of yours" if options.split == "validation" else None
        raise DataError(f"the data has no {options.split} part", expected=", ".join(data.splits), hint=hint)
    known = data.splits[options.split]
    random = np.random.default_rng(child_seed(options.seed, "explain"))
    rows = np.sort(random.choice(known, min(options.samples, len(known)), replace=False))
    changed = not same_data(data.fingerprint, run.record().get("data"))
    return {
        "raw": _describable(dataset),
        "resting": data.arrays,
        "feeder": Feeder.of(data),
        "rows": rows,
        "texts": [f"row {row + 1}" for row in rows.tolist()],
        "stems": [f"row-{row + 1:05d}" for row in rows.tolist()],
        "data": data,
        "notes": ["the data is not what the run was trained on: its content or its split has changed"] * changed,
    }


def _describable(dataset: Dataset) -> Arrays:
    """All that is known of the rows, with what only `columns` keep, such as the names of files."""
    return {**dataset.columns, **dataset.raw, **dataset.shared}


def _truth(data: Prepared | None, task_name: str, rows: np.ndarray) -> list[str | None]:
    if data is None:
        return [None] * len(rows)
    targets, task = data.original_targets[task_name], data.spec.tasks[task_name]
    return [label_of(task, targets[row]) for row in rows.tolist()]
