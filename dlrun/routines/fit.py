"""The default routine: build, compile, fit, keep the best."""

from __future__ import annotations

import dlrun
from dlrun.engine.compiling import compile_model, logged_names, settled_sections
from dlrun.engine.execution import Outcome, train_model
from dlrun.engine.resolve import Experiment
from dlrun.engine.task_rules import loss_fits_loosely, with_labels_for
from dlrun.events import Note


@dlrun.routine("fit")
def fit(experiment: Experiment) -> Outcome:
    """Compile the model for the task of the data and train it with `model.fit`."""
    sections = settled_sections(experiment.config, experiment.data)
    experiment.settle(**sections)
    if warning := loss_fits_loosely(sections["loss"], experiment.data.spec.task):
        experiment.emit(Note(warning))
    experiment.data = with_labels_for(sections["loss"], experiment.data)
    model = experiment.build_model()
    compile_model(model, experiment.config, experiment.data.spec)
    monitor = sections["monitor"]
    logged = logged_names(sections["metrics"], validated="validation" in experiment.data.splits)
    return train_model(model, experiment, monitor=(monitor.metric, monitor.mode), logged=logged)
