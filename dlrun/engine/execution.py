"""Training a model: stepwise by `model.fit` over a pipeline, or whole epochs in a few compiled calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from dlrun.engine import checkpointing
from dlrun.engine.callbacks import make_callbacks
from dlrun.engine.checkpointing import Checkpoint
from dlrun.engine.divergence import Diverged
from dlrun.engine.execution_rules import Execution, choose_execution
from dlrun.engine.feeding import Feeder, sample_order, streams
from dlrun.engine.pipelines import batches_in_order, left_over, one_batch, training_batches
from dlrun.engine.progress import Progress
from dlrun.engine.recorder import RecordingPlan, RunRecorder
from dlrun.engine.resolve import Experiment
from dlrun.engine.saving import save_models
from dlrun.engine.session import computes_on_gpu, set_jit_compile
from dlrun.engine.signals import stop_on_signals
from dlrun.engine.stages import stages_of
from dlrun.engine.stepwise import fit_stepwise
from dlrun.engine.variables import metrics_variables
from dlrun.engine.weighting import sample_weights
from dlrun.engine.whole_epoch import Steps, batches_to_join, fit_whole_epochs, make_steps
from dlrun.events import ModelReady, Note
from dlrun.seeds import child_seed

BeginStage = Callable[[int, int], None]  # the number of a stage, and how many epochs are done when it begins


@dataclass(frozen=True)
class Outcome:
    """What a routine returns: history (epoch 1 first) and the best epoch, counted from 1; the parameters of its model,
    where it has any to count. `measures` are figures of the best weights that no epoch logs, and `levels` the baselines
    of some of them.
    """

    progress: Progress
    monitor: str
    mode: str
    parameters: int | None
    measures: dict[str, float] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)


class _EpochClock(keras.callbacks.Callback):
    """Knows the epoch (counted from 0), and so the order of its samples.

    A run that goes on inside an epoch begins with that epoch, after the steps that are done.
    """

    def __init__(self, experiment: Experiment, epoch: int, steps_done: int) -> None:
        super().__init__()
        self._rows = experiment.data.splits["training"]
        self._seed, self._training = experiment.config.training_seed, experiment.config.training
        self._first = self._epoch = epoch
        self._steps_done = steps_done

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def order(self) -> tuple[np.ndarray, int, int]:
        """The rows of this epoch, the seed of its augmentations, and the first step to do."""
        rows = sample_order(self._rows, self._training, self._seed, self._epoch)
        first = self._steps_done if self._epoch == self._first else 0
        return rows, child_seed(self._seed, "augment", self._epoch), first


def train_model(
    model: keras.Model,
    experiment: Experiment,
    *,
    monitor: tuple[str, str],
    logged: Sequence[str] = (),
    saved_models: dict[str, keras.Model] | None = None,
    begin_stage: BeginStage = lambda number, began: None,
) -> Outcome:
    """Train a compiled model on the experiment's data and keep the best of it in the run.

    Works for every `keras.Model`, with a `train_step` of its own or not. `logged` are the names it logs, if known, to
    check what callbacks monitor. `saved_models` are the models that the run leaves behind by name; the default is
    `model` itself, as `best.keras` and `last.keras`. `begin_stage` makes the model ready for a stage of
    `training.stages`, counted from 0, which begins after so many epochs; for the first one, too.
    Raises TrainingError, Interrupted.
    """
    config, run = experiment.config, experiment.run
    saved = saved_models or {"": model}
    callbacks = [*make_callbacks(experiment, monitor, logged), *experiment.callbacks]
    execution = _settle_execution(model, experiment, callbacks)
    on_device = execution.mode == "whole_epoch"
    feeder = Feeder.of(experiment.data, weights=sample_weights(experiment), on_device=on_device)
    rollbacks = config.training.most_rollbacks if config.training.on_nan == "rollback" else 0
    checkpoint = checkpointing.read(run.checkpoint, with_good=rollbacks > 0) if experiment.resume else None
    tensorboard = config.training.tensorboard and not any(c.name == "TensorBoard" for c in config.callbacks)
    validated = "validation" in experiment.data.splits
    seconds, steps = config.training.checkpoint_every_seconds, config.training.checkpoint_every_steps
    plan = RecordingPlan(run, *monitor, validated, saved, seconds, steps, tensorboard, rollbacks)
    whole = saved.get("", model)
    _announce(whole, experiment, monitor, execution)
    _tell_left_over(experiment)
    with stop_on_signals() as stop_asked:
        recorder = RunRecorder(plan, callbacks, experiment.emit, stop_asked=stop_asked.is_set, checkpoint=checkpoint)
        try:
            _fit(model, experiment, execution, feeder, [*callbacks, recorder], begin_stage)
        except BaseException:
            if recorder.progress.epochs:
                run.write_history(recorder.progress.history, recorder.progress.seconds)
            raise
        save_models(run, "last", saved)  # in here, so that a signal now does not end the run
    return Outcome(recorder.progress, *monitor, whole.count_params())


def _settle_execution(
    model: keras.Model, experiment: Experiment, callbacks: Sequence[keras.callbacks.Callback]
) -> Execution:
    """Choose how epochs are driven, once for the life of the run: it is part of its config from here on."""
    training = experiment.config.training
    execution = choose_execution(
        experiment.config.runtime,
        model,
        callbacks,
        streams=streams(experiment.data.arrays),
        steps=_steps_per_epoch(experiment) * training.epochs,
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
    callbacks: Sequence[Any],
    begin_stage: BeginStage,
) -> None:
    """Train to the end, stage by stage; after a loss that was not finite again, from where the recorder has gone back
    to. The recorder is the last of the callbacks.
    """
    recorder: RunRecorder = callbacks[-1]
    stages = stages_of(experiment.config.training)
    number = recorder.stage
    while number < len(stages):
        begin_stage(number, recorder.stage_began)
        whole_epochs = execution.mode == "whole_epoch"
        steps = _make_steps(model, experiment, execution, feeder, callbacks) if whole_epochs else None
        try:
            _fit_stage(stages[number].epochs, model, experiment, steps, feeder, callbacks)
        except Diverged as diverged:
            recorder.roll_back(diverged)
        else:
            number += 1
            if number < len(stages):
                recorder.next_stage(number)


def _make_steps(
    model: keras.Model, experiment: Experiment, execution: Execution, feeder: Feeder, callbacks: Sequence[Any]
) -> Steps:
    training, splits = experiment.config.training, experiment.data.splits
    samples = training.samples_per_epoch(len(splits["training"]))
    joined = batches_to_join(samples, splits.get("validation"), training.batch_size, callbacks)
    return make_steps(model, feeder, jit_compile=execution.jit_compile, joined=joined)


def _fit_stage(
    most_epochs: int,
    model: keras.Model,
    experiment: Experiment,
    steps: Steps | None,
    feeder: Feeder,
    callbacks: Sequence[Any],
) -> None:
    """Train a stage from its beginning, or from the recorder's checkpoint inside it."""
    training, splits = experiment.config.training, experiment.data.splits
    recorder, rows, validation = callbacks[-1], splits["training"], splits.get("validation")
    checkpoint, progress = recorder.checkpoint, recorder.progress
    done, steps_done = (checkpoint.epoch, checkpoint.step) if checkpoint else (progress.epochs, 0)
    clock = _EpochClock(experiment, done, steps_done)
    if checkpoint and steps_done:
        _make_metrics(model, checkpoint, feeder, rows)
    logs = dict(checkpoint.state["logs"]) if checkpoint else {}
    end = recorder.stage_began + most_epochs
    epochs = range(done, done if checkpoint and checkpoint.stopped else end)
    hooks = [clock, recorder.watch, *callbacks]
    if steps is not None:
        fit_whole_epochs(
            model,
            steps,
            order=clock.order,
            validation=validation,
            batch_size=training.batch_size,
            epochs=epochs,
            callbacks=hooks,
            on_steps=recorder.on_steps,
            every_steps=training.checkpoint_every_steps,
            first_logs=logs,
        )
        return
    fit_stepwise(
        model,
        training_batches(feeder, clock.order, training.samples_per_epoch(len(rows)), training.batch_size),
        validation=None if validation is None else batches_in_order(feeder, validation, training.batch_size),
        epochs=epochs,
        callbacks=hooks,
        steps_done=steps_done,
        first_logs=logs,
    )


def _make_metrics(model: keras.Model, checkpoint: Checkpoint, feeder: Feeder, rows: np.ndarray) -> None:
    """Let Keras make the variables of metrics, which it else does in the first step, to put their values into them."""
    if len(metrics_variables(model)) != len(checkpoint.group("metrics")):
        model._symbolic_build(data_batch=one_batch(feeder, rows[:1]))


def _steps_per_epoch(experiment: Experiment) -> int:
    training = experiment.config.training
    samples = training.samples_per_epoch(len(experiment.data.splits["training"]))
    return math.ceil((samples - left_over(samples)) / training.batch_size)


def _tell_left_over(experiment: Experiment) -> None:
    """Say how many rows are left out, where devices share batches."""
    rows = {name: len(found) for name, found in experiment.data.splits.items() if name != "test"}
    rows["training"] = experiment.config.training.samples_per_epoch(rows["training"])
    for name, count in rows.items():
        if left := left_over(count):
            text = f"devices take equal shares of a batch, so each epoch leaves out {left} of the {count} {name} rows"
            experiment.emit(Note(text))


def _announce(model: keras.Model, experiment: Experiment, monitor: tuple[str, str], execution: Execution) -> None:
    training = experiment.config.training
    experiment.emit(
        ModelReady(
            parameters=model.count_params(),
            trainable_parameters=sum(math.prod(v.shape) for v in model.trainable_variables),
            epochs=training.epochs,
            steps_per_epoch=_steps_per_epoch(experiment),
            monitor=monitor[0],
            mode="max" if monitor[1] == "max" else "min",
            execution=execution.mode,
            jit_compile=execution.jit_compile,
        )
    )
