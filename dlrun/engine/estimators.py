"""Estimators of scikit-learn: made from a config, fed with what a Keras model would get, and kept as files.

The files are skops', which are read without running code from them, and only into the types listed here. A pickle
would run whatever its writer wanted.
"""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import skops.io
from sklearn.base import BaseEstimator, is_classifier, is_regressor

from dlrun import sklearn_names
from dlrun.data._archives import open_zip
from dlrun.engine.saving import replacing
from dlrun.errors import ConfigError, DataError, Key, RunDirError, TrainingError, listing
from dlrun.files import first_line
from dlrun.run_dir import RunDir
from dlrun.spec import Task

FORMAT = 1
_TRUSTED = [  # what fitted estimators consist of besides scikit-learn's public classes
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._ball_tree.BallTree",
    *(f"sklearn.metrics._dist_metrics.{name}Distance64" for name in ("Euclidean", "Manhattan", "Minkowski")),
    *(f"sklearn.neural_network._stochastic_optimizers.{name}Optimizer" for name in ("Adam", "SGD")),
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    *(f"sklearn.gaussian_process.kernels.{name}" for name in ("ConstantKernel", "Product", "RBF")),
    *(f"sklearn._loss.loss.HalfTweedieLoss{name}" for name in ("", "Identity")),
]


def make_estimator(stated: Any, task: Task, seed: int, key: Key) -> Any:
    """The estimator that a config states at `key`, seeded unless it says how. Raises ConfigError."""
    name, arguments = (stated, {}) if isinstance(stated, str) else next(iter(stated.items()))
    cls = getattr(importlib.import_module(sklearn_names.module_of(name)), name)
    if "random_state" in cls().get_params() and "random_state" not in (arguments or {}):
        arguments = {**(arguments or {}), "random_state": seed % 2**31}
    try:
        estimator = cls(**(arguments or {}))
        estimator._validate_params()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"scikit-learn refuses the arguments of {name}: {first_line(error)}", key=key) from error
    if not (is_classifier(estimator) if task.classifies else is_regressor(estimator)):
        wanted = "a classifier" if task.classifies else "a regressor"
        raise ConfigError(f"{name} does not suit the data, which is {task.kind}", key=key, expected=wanted)
    return estimator


def flat(batch: Any) -> np.ndarray:
    """The inputs of a batch as one array `(rows, numbers)`; several inputs stand side by side, by name."""
    parts = [np.asarray(keras.ops.convert_to_numpy(one)) for one in keras.tree.flatten(batch)]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def each_batch(batches: Any) -> Any:
    """The batches of a pipeline; a PyDataset, which has a length but no end, is not one to iterate over."""
    return map(batches.__getitem__, range(len(batches))) if isinstance(batches, keras.utils.PyDataset) else batches


class EstimatorModel:
    """A fitted estimator that predicts as a Keras model with the last layer of table 4-1 does."""

    def __init__(self, estimator: BaseEstimator, kind: str, units: int) -> None:
        self.estimator, self.kind, self.units = estimator, kind, units

    def predict(self, batches: Any, verbose: int = 0) -> np.ndarray:
        """Outputs `(rows, units)` of a pipeline of inputs."""
        return np.concatenate([self.outputs_of(flat(batch)) for batch in each_batch(batches)])

    def outputs_of(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities or numbers `(rows, units)` for inputs `(rows, numbers)`; the labels of an estimator that knows
        no probabilities count as certain.
        """
        if self.kind == "regression":
            return np.asarray(self.estimator.predict(rows), "float32").reshape(len(rows), -1)
        if not gives_probabilities(self.estimator):
            return self._certain(np.asarray(self.estimator.predict(rows)))
        found = self.estimator.predict_proba(rows)
        if self.kind == "multilabel":
            return _of_labels(found, self.estimator)
        columns = np.zeros((len(rows), max(2, self.units)), "float32")
        columns[:, np.asarray(self.estimator.classes_, int)] = found  # a class without a training row has no column
        return columns[:, 1:] if self.kind == "binary" else columns

    def _certain(self, labels: np.ndarray) -> np.ndarray:
        if self.kind == "multiclass":
            return np.eye(self.units, dtype="float32")[labels.astype(int)]
        return labels.astype("float32").reshape(len(labels), -1)


def gives_probabilities(estimator: Any) -> bool:
    """Whether a classifier tells how likely each label is."""
    return hasattr(estimator, "predict_proba")


def _of_labels(found: Any, estimator: Any) -> np.ndarray:
    """Probabilities `(rows, labels)`: some estimators give them so, others two columns for each label."""
    if not isinstance(found, list):
        return np.asarray(found, "float32")
    columns = [
        one[:, list(known).index(1)] if 1 in known else np.zeros(len(one))
        for one, known in zip(found, estimator.classes_, strict=True)
    ]
    return np.stack(columns, axis=1).astype("float32")


def save_estimator(run: RunDir, model: EstimatorModel) -> None:
    """Write the estimator into the run, whole or not at all.

    Raises TrainingError for one that could not be read again, RunDirError when the disk does not take it.
    """
    content = {"format": FORMAT, "kind": model.kind, "units": model.units, "estimator": model.estimator}
    with replacing(run.estimator_file) as temporary:
        skops.io.dump(content, temporary)
        if others := _not_trusted(temporary):
            name = type(model.estimator).__name__
            raise TrainingError(
                f"{name} cannot be kept: dlrun does not read {listing(others)} from files",
                key=("routine", "estimator"),
            )


def load_estimator(path: Path) -> EstimatorModel:
    """What `save_estimator` wrote. Raises RunDirError for a damaged file, or one with types that are not read."""
    try:
        open_zip(path).close()  # looked at before skops unpacks it
        if others := _not_trusted(path):
            raise RunDirError(f"{path} holds {listing(others, 4)}, which dlrun does not read from a file")
        content = skops.io.load(path, trusted=_TRUSTED)
        return EstimatorModel(content["estimator"], str(content["kind"]), int(content["units"]))
    except DataError as error:
        raise RunDirError(problems=error.problems) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        hint = "it is damaged, or of another version of scikit-learn: see `versions` in run.json"
        raise RunDirError(f"{path} cannot be read: {first_line(error)}", hint=hint) from error


def _not_trusted(path: Path) -> list[str]:
    return sorted(set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED))
