"""The default routine: build, compile, fit, keep the best."""

from __future__ import annotations

import dlrun
from dlrun.engine.compiling import compile_model, loss_fits_loosely, settled_sections
from dlrun.engine.execution import Outcome, train_model
from dlrun.engine.resolve import Experiment
from dlrun.events import Note


@dlrun.routine("fit")
def fit(experiment: Experiment) -> Outcome:
    """Compile the model for the task of the data and train it with `model.fit`."""
    task = experiment.data.spec.task
    experiment.settle(**settled_sections(experiment.config, experiment.data))
    config = experiment.config
    if config.loss is not None and (warning := loss_fits_loosely(config.loss, task)):
        experiment.emit(Note(warning))
    model = experiment.build_model()
    compile_model(model, config, experiment.data.spec)
    return train_model(model, experiment, monitor=(config.monitor.metric or "loss", config.monitor.mode))
