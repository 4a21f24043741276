"""How an epoch is driven: stepwise, `model.fit` over a pipeline that gathers rows by index."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dlrun.engine import checkpointing
from dlrun.engine.callbacks import RecordingPlan, RunRecorder, make_callbacks
from dlrun.engine.checkpointing import Progress
from dlrun.engine.feeding import Feeder, sample_order
from dlrun.engine.resolve import Experiment
from dlrun.engine.saving import save_models
from dlrun.engine.scoring import true_labels
from dlrun.errors import ConfigError, listing
from dlrun.events import ModelReady


@dataclass(frozen=True)
class Outcome:
    """What a routine returns: history (epoch 1 first) and the best epoch, counted from 1."""

    progress: Progress
    monitor: str
    mode: str
    parameters: int


class _EpochClock(keras.callbacks.Callback):
    """Knows the epoch (counted from 0) when Keras asks for the next order of samples."""

    epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch


def train_model(
    model: keras.Model,
    experiment: Experiment,
    *,
    monitor: tuple[str, str],
    logged: Sequence[str] = (),
    saved_models: dict[str, keras.Model] | None = None,
) -> Outcome:
    """Train a compiled model on the experiment's data and keep the best of it in the run.

    Works for every `keras.Model`, with a `train_step` of its own or not. `logged` are the names it logs, if known, to
    check what callbacks monitor. `saved_models` are the models that the run leaves behind by name; the default is
    `model` itself, as `best.keras` and `last.keras`.
    Raises TrainingError, Interrupted.
    """
    config, run = experiment.config, experiment.run
    saved = saved_models or {"": model}
    callbacks = make_callbacks(config, run, monitor, logged)
    clock, feeder = _EpochClock(), Feeder.of(experiment.data)
    train, validation = _pipelines(experiment, feeder, clock)
    checkpoint = checkpointing.read(run.checkpoint) if experiment.resume else None
    done = checkpoint.epoch if checkpoint else 0
    plan = RecordingPlan(run, *monitor, validation is not None, saved, config.training.checkpoint_every_seconds)
    _announce(model, experiment, monitor)
    with stop_on_signals() as stop_asked:
        recorder = RunRecorder(plan, callbacks, experiment.emit, stop_asked=stop_asked.is_set, checkpoint=checkpoint)
        try:
            model.fit(
                train,
                validation_data=validation,
                epochs=done if checkpoint and checkpoint.stopped else config.training.epochs,
                initial_epoch=done,
                class_weight=class_weights(experiment),
                callbacks=[clock, *callbacks, recorder],
                verbose=0,
            )
        except BaseException:
            if recorder.progress.epochs:
                run.write_history(recorder.progress.history, recorder.progress.seconds)
            raise
    save_models(run, "last", saved)
    return Outcome(recorder.progress, *monitor, model.count_params())


def _pipelines(experiment: Experiment, feeder: Feeder, clock: _EpochClock) -> tuple[Any, Any]:
    """The training pipeline, in a new order each epoch, and the validation pipeline or None."""
    training, seed = experiment.config.training, experiment.config.seed
    rows = experiment.data.splits["training"]

    def order() -> np.ndarray:
        return sample_order(rows, seed, clock.epoch) if training.shuffle else rows

    validation = experiment.data.splits.get("validation")
    return (
        feeder.batches(order, len(rows), training.batch_size),
        None if validation is None else feeder.in_order(validation, training.batch_size),
    )


def _announce(model: keras.Model, experiment: Experiment, monitor: tuple[str, str]) -> None:
    training = experiment.config.training
    experiment.emit(
        ModelReady(
            parameters=model.count_params(),
            trainable_parameters=sum(math.prod(v.shape) for v in model.trainable_variables),
            epochs=training.epochs,
            steps_per_epoch=math.ceil(len(experiment.data.splits["training"]) / training.batch_size),
            monitor=monitor[0],
            mode="max" if monitor[1] == "max" else "min",
        )
    )


def class_weights(experiment: Experiment) -> dict[int, float] | None:
    """Weights by class index: as stated by label (others 1), or balanced as in scikit-learn, `n / (classes * count)`.

    Raises ConfigError when the task has no classes or a label is unknown.
    """
    wanted, data = experiment.config.training.class_weight, experiment.data
    if wanted is None:
        return None
    task, key = data.spec.task, ("training", "class_weight")
    if task.kind not in ("binary", "multiclass"):
        raise ConfigError(f"class weights need classes, the task is {task.kind}", key=key)
    if isinstance(wanted, dict):
        stated = {str(label): float(weight) for label, weight in wanted.items()}
        for label in stated:
            if label not in task.labels:
                raise ConfigError(f"there is no label {label!r}", key=(*key, label), expected=listing(task.labels))
        return {number: stated.get(label, 1.0) for number, label in enumerate(task.labels)}
    (targets,) = data.targets.values()
    labels = true_labels(targets[data.splits["training"]], task)
    counts = np.bincount(labels, minlength=len(task.labels))
    return {k: len(labels) / (len(counts) * count) if count else 1.0 for k, count in enumerate(counts.tolist())}


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that is set by the first SIGINT, SIGTERM or SIGHUP; the second SIGINT raises KeyboardInterrupt as usual.

    Outside the main thread signals cannot be caught, and the event is never set.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def stop(number: int, _frame: Any) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
