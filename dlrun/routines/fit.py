"""The default routine: build, compile, fit, keep the best."""

from __future__ import annotations

import dlrun
from dlrun.engine.compiling import compile_model, logged_names, settled_outputs, settled_sections
from dlrun.engine.execution import Outcome, train_model
from dlrun.engine.features import cached_features, caches_features
from dlrun.engine.guard_rails import before_training, tell
from dlrun.engine.resolve import Experiment
from dlrun.engine.stages import begin_stage
from dlrun.engine.task_rules import with_labels_for


@dlrun.routine("fit")
def fit(experiment: Experiment) -> Outcome:
    """Compile the model for the tasks of the data and train it with `model.fit`."""
    experiment.settle(**settled_sections(experiment.config, experiment.data))
    outputs = settled_outputs(experiment.config, experiment.data.spec)
    losses = {name: output.loss for name, output in outputs.items() if output.loss is not None}
    experiment.data = with_labels_for(losses, experiment.data)
    model = experiment.build_model()
    compile_model(model, experiment.config, experiment.data.spec)
    tell(experiment, before_training(experiment.config, experiment.data, outputs, model))
    monitor = experiment.config.monitor
    assert monitor.metric is not None, "settled before"
    logged = logged_names(outputs, validated="validation" in experiment.data.splits)
    watched = (monitor.metric, monitor.mode)
    if caches_features(experiment, model):
        with cached_features(experiment, model) as head:
            compile_model(head, experiment.config, experiment.data.spec)
            model.optimizer = head.optimizer  # best.keras holds its state
            return train_model(head, experiment, monitor=watched, logged=logged, saved_models={"": model})

    def begin(number: int, began: int) -> None:
        begin_stage(model, experiment, number, began)

    return train_model(model, experiment, monitor=watched, logged=logged, begin_stage=begin)
