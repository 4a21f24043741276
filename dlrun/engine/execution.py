"""Training a model: stepwise by `model.fit` over a pipeline, or whole epochs in a few compiled calls."""

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
from dlrun.engine.execution_rules import Execution, choose_execution
from dlrun.engine.feeding import Feeder, sample_order, streams
from dlrun.engine.pipelines import batches_in_order, training_batches
from dlrun.engine.resolve import Experiment
from dlrun.engine.saving import save_models
from dlrun.engine.session import computes_on_gpu, set_jit_compile
from dlrun.engine.weighting import sample_weights
from dlrun.engine.whole_epoch import fit_whole_epochs, make_steps
from dlrun.events import ModelReady
from dlrun.seeds import child_seed


@dataclass(frozen=True)
class Outcome:
    """What a routine returns: history (epoch 1 first) and the best epoch, counted from 1."""

    progress: Progress
    monitor: str
    mode: str
    parameters: int


class _EpochClock(keras.callbacks.Callback):
    """Knows the epoch (counted from 0), and so the order of its samples."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self._rows = experiment.data.splits["training"]
        self._seed, self._shuffle = experiment.config.seed, experiment.config.training.shuffle
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def order(self) -> tuple[np.ndarray, int]:
        """The rows of this epoch, and the seed of its augmentations."""
        rows = sample_order(self._rows, self._seed, self._epoch) if self._shuffle else self._rows
        return rows, child_seed(self._seed, "augment", self._epoch)


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
    execution = _settle_execution(model, experiment, callbacks)
    on_device = execution.mode == "whole_epoch"
    feeder = Feeder.of(experiment.data, weights=sample_weights(experiment), on_device=on_device)
    checkpoint = checkpointing.read(run.checkpoint) if experiment.resume else None
    tensorboard = config.training.tensorboard and not any(c.name == "TensorBoard" for c in config.callbacks)
    validated = "validation" in experiment.data.splits
    every = config.training.checkpoint_every_seconds
    plan = RecordingPlan(run, *monitor, validated, saved, every, tensorboard)
    _announce(model, experiment, monitor, execution)
    with stop_on_signals() as stop_asked:
        recorder = RunRecorder(plan, callbacks, experiment.emit, stop_asked=stop_asked.is_set, checkpoint=checkpoint)
        try:
            _fit(model, experiment, execution, feeder, callbacks, recorder)
        except BaseException:
            if recorder.progress.epochs:
                run.write_history(recorder.progress.history, recorder.progress.seconds)
            raise
    save_models(run, "last", saved)
    return Outcome(recorder.progress, *monitor, model.count_params())


def _settle_execution(
    model: keras.Model, experiment: Experiment, callbacks: Sequence[keras.callbacks.Callback]
) -> Execution:
    """Choose how epochs are driven, once for the life of the run: it is part of its config from here on."""
    training, rows = experiment.config.training, len(experiment.data.splits["training"])
    execution = choose_execution(
        experiment.config.runtime,
        model,
        callbacks,
        streams=streams(experiment.data.arrays),
        steps=math.ceil(rows / training.batch_size) * training.epochs,
        batch_size=training.batch_size,
        on_gpu=computes_on_gpu(),
    )
    set_jit_compile(model, execution.jit_compile)
    chosen = {"execution": execution.mode, "jit_compile": execution.jit_compile}
    experiment.settle(runtime=experiment.config.runtime.model_copy(update=chosen))
    return execution


def _fit(
    model: keras.Model,
    experiment: Experiment,
    execution: Execution,
    feeder: Feeder,
    callbacks: Sequence[keras.callbacks.Callback],
    recorder: RunRecorder,
) -> None:
    training, validation = experiment.config.training, experiment.data.splits.get("validation")
    checkpoint, clock = recorder.checkpoint, _EpochClock(experiment)
    done = checkpoint.epoch if checkpoint else 0
    epochs = done if checkpoint and checkpoint.stopped else training.epochs
    hooks = [clock, *callbacks, recorder]
    if execution.mode == "whole_epoch":
        fit_whole_epochs(
            model,
            make_steps(model, feeder, jit_compile=execution.jit_compile),
            order=clock.order,
            validation=validation,
            batch_size=training.batch_size,
            epochs=epochs,
            initial_epoch=done,
            callbacks=hooks,
            on_steps=recorder.on_steps,
        )
        return
    rows = len(experiment.data.splits["training"])
    model.fit(
        training_batches(feeder, clock.order, rows, training.batch_size),
        validation_data=None if validation is None else batches_in_order(feeder, validation, training.batch_size),
        epochs=epochs,
        initial_epoch=done,
        callbacks=hooks,
        shuffle=False,  # the order is dlrun's own; Keras would shuffle the batches of a PyDataset once more
        verbose=0,
    )


def _announce(model: keras.Model, experiment: Experiment, monitor: tuple[str, str], execution: Execution) -> None:
    training = experiment.config.training
    experiment.emit(
        ModelReady(
            parameters=model.count_params(),
            trainable_parameters=sum(math.prod(v.shape) for v in model.trainable_variables),
            epochs=training.epochs,
            steps_per_epoch=math.ceil(len(experiment.data.splits["training"]) / training.batch_size),
            monitor=monitor[0],
            mode="max" if monitor[1] == "max" else "min",
            execution=execution.mode,
            jit_compile=execution.jit_compile,
        )
    )


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
