"""The default routine: build, compile, fit, keep the best."""

from __future__ import annotations

import dlrun
from dlrun.engine.compiling import compile_model, resolve_monitor
from dlrun.engine.execution import Outcome, train_model
from dlrun.engine.resolve import Experiment


@dlrun.routine("fit")
def fit(experiment: Experiment) -> Outcome:
    """Compile the model for the task of the data and train it with `model.fit`."""
    model = experiment.build_model()
    compilation = compile_model(model, experiment.config, experiment.data.spec)
    validated = "validation" in experiment.data.splits
    monitor = resolve_monitor(experiment.config, compilation.metric_names, validated=validated)
    return train_model(model, experiment, monitor=monitor)
