"""What a frozen base gives for each picture, computed once and kept in the cache (DLwP listings 5-17 and 5-18)."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import keras
import numpy as np

from dlrun.data._arrays import ArrayEncoder
from dlrun.data._cache import UNUSABLE, Chunks, Entry, cached, in_memory
from dlrun.data._dataset import Prepared
from dlrun.engine.feeding import Feeder
from dlrun.engine.pipelines import batches_in_order
from dlrun.engine.resolve import Experiment
from dlrun.errors import ConfigError
from dlrun.events import Note

NAME = "features"
_ROWS = 1024  # computed at a time
_BATCH = 32
_KEY = ("model", "features")
_INSIDE = ("ModelCheckpoint", "BackupAndRestore")  # of Keras; what dlrun and plugins have may look inside, too


def caches_features(experiment: Experiment, model: keras.Model) -> bool:
    """Whether the base of this model is run once for each picture, not in each step. Raises ConfigError when the config
    asks for that and it would not be the same.
    """
    component = experiment.config.model
    assert component is not None, "the model was built from it"
    wish = component.parameters.get("features") if component.name == "pretrained" else None
    if wish not in ("auto", "cached"):
        return False
    reason = _why_not(experiment, model)
    if wish == "cached" and reason:
        raise ConfigError(f"features cannot be cached: {reason}", key=_KEY, hint="features: inline")
    return not reason


def _why_not(experiment: Experiment, model: keras.Model) -> str:
    config = experiment.config
    assert config.model is not None
    base = model.get_layer(config.model.parameters["base"])
    if base.trainable_variables or any(stage.unfreeze for stage in config.training.stages):
        return "the base learns"
    if getattr(experiment.data.encoder, "augmentation", None):
        return "each epoch varies the pictures (data.augment)"
    if config.model.parameters.get("weights") is None:
        return "the base is a random one (model.weights)"
    if any(isinstance(layer, keras.layers.Dropout) for layer in base._flatten_layers()):
        return "the base drops some of what it computes in each step, also when it is frozen"
    inside = [one.name for one in config.callbacks if one.name in _INSIDE or not hasattr(keras.callbacks, one.name)]
    if inside:
        return f"{inside[0]} may look at the whole model while it trains"
    return "several devices share a batch" if config.runtime.strategy != "none" else ""


@contextlib.contextmanager
def cached_features(experiment: Experiment, model: keras.Model) -> Iterator[keras.Model]:
    """The part of a `pretrained` model after its base; meanwhile features `(rows, ...)` are the experiment's data."""
    assert experiment.config.model is not None
    names = [layer.name for layer in model.layers]
    pooling, *layers = model.layers[names.index(experiment.config.model.parameters["base"]) + 1 :]
    front = keras.Model(model.inputs, pooling.output)
    inputs = found = keras.Input(pooling.output.shape[1:], name=NAME)
    for layer in layers:
        found = layer(found)
    pictures = experiment.data
    experiment.data = _with_features(experiment, front)
    try:
        yield keras.Model(inputs, found, name=model.name)
    finally:
        experiment.data = pictures


def _with_features(experiment: Experiment, front: keras.Model) -> Prepared:
    """The data with features in place of pictures, for the rows of training and validation."""
    data = experiment.data
    parts = {name: rows for name, rows in data.splits.items() if name != "test"}
    rows = np.sort(np.concatenate(list(parts.values())))
    began, computed = time.perf_counter(), False

    def compute() -> Chunks:
        nonlocal computed
        computed, feeder = True, Feeder.of(data)
        for start in range(0, len(rows), _ROWS):
            batches = batches_in_order(feeder, rows[start : start + _ROWS], _BATCH, "inputs")
            yield NAME, np.asarray(front.predict(batches, verbose=0), "float32")
        return {}

    entry = _entry(experiment, front, rows, compute)
    shape = entry.arrays[NAME].shape[1:]
    told = f"computed in {time.perf_counter() - began:.1f} s" if computed else "found in the cache"
    experiment.emit(Note(f"the base is frozen: its features {shape} of {len(rows):,} pictures are {told}"))
    encoder = ArrayEncoder(NAME, shape)
    return replace(
        data,
        arrays=entry.arrays,
        encoder=encoder,
        spec=replace(data.spec, inputs=encoder.inputs()),
        splits={name: np.searchsorted(rows, of_part) for name, of_part in parts.items()},
        targets={name: array[rows] for name, array in data.targets.items()},
        original_targets={name: array[rows] for name, array in data.original_targets.items()},
        columns={name: array[rows] for name, array in data.columns.items()},
        persistence={name: array[rows] for name, array in data.persistence.items()},
    )


def _entry(experiment: Experiment, front: keras.Model, rows: np.ndarray, compute: Callable[[], Chunks]) -> Entry:
    component = experiment.config.model
    assert component is not None
    decisive = ("base", "alpha", "preprocessing", "pooling")
    key = [
        experiment.run.record()["base_weights"]["sha256"],
        {name: component.parameters.get(name) for name in decisive},
        [front.input_shape, keras.backend.backend(), keras.config.dtype_policy().name, keras.__version__],
        experiment.data.fingerprint["content"],
        hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest(),
    ]
    try:
        return cached(NAME, key, compute)
    except UNUSABLE:
        return in_memory(compute())
