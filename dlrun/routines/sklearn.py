"""An estimator of scikit-learn in the place of a network: fitted once, scored and kept like any run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from sklearn.utils.validation import has_fit_parameter

import dlrun
from dlrun.config.schema import Output
from dlrun.data._dataset import Prepared
from dlrun.engine.compiling import compile_model, settled_outputs, settled_sections
from dlrun.engine.estimators import (
    EstimatorModel,
    each_batch,
    flat,
    gives_probabilities,
    make_estimator,
    save_estimator,
)
from dlrun.engine.execution import Outcome
from dlrun.engine.feeding import Feeder, targets_for_model
from dlrun.engine.pipelines import batches_in_order
from dlrun.engine.progress import Progress
from dlrun.engine.resolve import Experiment
from dlrun.engine.scoring import BATCH_SIZE, gives_logits, true_labels
from dlrun.engine.task_rules import with_labels_for
from dlrun.engine.weighting import sample_weights
from dlrun.errors import ConfigError
from dlrun.events import EpochDone, Note
from dlrun.seeds import child_seed
from dlrun.spec import Estimator, Task


@dlrun.routine("sklearn")
def sklearn(experiment: Experiment, *, estimator: Estimator) -> Outcome:
    """Fit an estimator of scikit-learn on the encoded rows, flattened. There are no epochs: history has one row.

    `estimator`: a name, or one with scikit-learn's own arguments: `{RandomForestClassifier: {n_estimators: 200}}`.
    """
    config, key = experiment.config, ("routine", "estimator")
    task = _only_task(experiment.data)
    experiment.settle(**settled_sections(config, experiment.data))
    outputs = settled_outputs(experiment.config, experiment.data.spec)
    _check_loss(outputs)
    made = make_estimator(estimator, task, child_seed(config.training_seed, "estimator"), key)
    rows = {name: found for name, found in experiment.data.splits.items() if name != "test"}
    inputs = {name: _inputs(experiment.data, found) for name, found in rows.items()}
    training = inputs["training"]
    experiment.emit(Note(f"{type(made).__name__} learns {len(training):,} rows of {training.shape[1]:,} numbers"))
    if task.classifies and not gives_probabilities(made):
        experiment.emit(Note(f"{type(made).__name__} gives no probabilities: its labels count as certain in the loss"))
    began = time.perf_counter()
    made.fit(training, _targets(experiment.data, task, rows["training"]), **_weights(experiment, made))
    model = EstimatorModel(made, task.kind, task.head.units)
    row = _scored(experiment, model, inputs, rows, outputs)
    seconds = time.perf_counter() - began
    save_estimator(experiment.run, model)
    progress = Progress()
    progress.end_epoch(row, seconds, stopped=True)
    progress.best_epoch = 1
    experiment.run.write_history(progress.history, progress.seconds)
    experiment.emit(EpochDone(1, row, seconds, best=True))
    monitor = experiment.config.monitor
    assert monitor.metric is not None, "settled before"
    return Outcome(progress, monitor.metric, monitor.mode, parameters=None)


def _only_task(data: Prepared) -> Task:
    if len(data.spec.tasks) != 1:
        received = f"the tasks {', '.join(data.spec.tasks)}" if data.spec.tasks else "data without targets"
        raise ConfigError("an estimator learns one task", key=("data",), received=received)
    return data.spec.task


def _check_loss(outputs: Mapping[str, Output]) -> None:
    if any(gives_logits(output.loss) for output in outputs.values()):
        raise ConfigError("an estimator gives probabilities, and the loss says from_logits", key=("loss",))


def _inputs(data: Prepared, rows: np.ndarray) -> np.ndarray:
    """What a network would get for these rows, flattened: `(rows, numbers)`."""
    return np.concatenate(
        [flat(one) for one in each_batch(batches_in_order(Feeder.of(data), rows, BATCH_SIZE, "inputs"))]
    )


def _targets(data: Prepared, task: Task, rows: np.ndarray) -> np.ndarray:
    """Targets as scikit-learn takes them: class indices `(rows,)`, rows of 0 and 1, numbers in the model's units."""
    (targets,) = data.targets.values()
    if task.classifies:
        return true_labels(targets[rows], task)
    found = targets[rows].reshape(len(rows), -1)
    return found[:, 0] if task.outputs == 1 else found


def _weights(experiment: Experiment, estimator: Any) -> dict[str, np.ndarray]:
    """Weights of the training samples, if the config has some. Raises ConfigError when the estimator takes none."""
    weights = sample_weights(experiment)
    if weights is None:
        return {}
    if not has_fit_parameter(estimator, "sample_weight"):
        name = type(estimator).__name__
        which = "class_weight" if experiment.config.training.class_weight is not None else "sample_weight"
        raise ConfigError(f"{name} cannot weigh rows", key=("training", which))
    return {"sample_weight": weights[experiment.data.splits["training"]]}


def _scored(
    experiment: Experiment,
    model: EstimatorModel,
    inputs: Mapping[str, np.ndarray],
    rows: Mapping[str, np.ndarray],
    outputs: Mapping[str, Output],
) -> dict[str, float]:
    """Loss and metrics as Keras logs them: those of a model that passes the estimator's outputs on."""
    losses = {name: output.loss for name, output in outputs.items() if output.loss is not None}
    data = with_labels_for(losses, experiment.data)
    ((name, task),) = data.spec.tasks.items()
    given = keras.Input((model.units,))
    passing = keras.Model(given, keras.layers.Identity()(given))
    compile_model(passing, experiment.config, data.spec)
    targets = targets_for_model(data.targets[name], task)
    row: dict[str, float] = {}
    for part, own in rows.items():
        found = np.concatenate(
            [model.outputs_of(inputs[part][at : at + BATCH_SIZE]) for at in range(0, len(own), BATCH_SIZE)]
        )
        logs = passing.evaluate(found, targets[own], batch_size=BATCH_SIZE, verbose=0, return_dict=True)
        row |= {f"val_{key}" if part == "validation" else key: float(value) for key, value in logs.items()}
    return row
