"""The stages of a run: what learns in each, with an optimizer of its own (DLwP 5.3.2)."""

from __future__ import annotations

import math

import keras

from dlrun.config.training_schema import Stage, Training
from dlrun.engine.compiling import compile_model
from dlrun.engine.resolve import Experiment
from dlrun.events import Note
from dlrun.models._freezing import unfreeze


def stages_of(training: Training) -> list[Stage]:
    """The stages of a run; one of all its epochs where the config names none."""
    return list(training.stages) or [Stage(epochs=training.epochs)]  # type: ignore[call-arg]


def begin_stage(model: keras.Model, experiment: Experiment, number: int, began: int) -> None:
    """Unfreeze what the stages up to `number` (counted from 0) say, compile with that stage's rate, tell and record it;
    so many epochs are done when it `began`.

    A model without stages is left as it is. Raises ConfigError when a stage names a layer that is not there.
    """
    config = experiment.config
    if not config.training.stages:
        return
    for before in range(number + 1):
        if layer := config.training.stages[before].unfreeze:
            unfreeze(model, layer, key=("training", "stages", before, "unfreeze"))
    stage = config.training.stages[number]
    compile_model(model, config, experiment.data.spec, learning_rate=stage.learning_rate)
    learning = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    found = {
        "began": began,
        "epochs": stage.epochs,
        "unfreeze": stage.unfreeze,
        "learning_rate": rate,
        "trainable_parameters": learning,
        "trainable_weights": len(model.trainable_weights),
    }
    experiment.run.update(stages=[*experiment.run.record().get("stages", [])[:number], found])
    experiment.emit(
        Note(
            f"stage {number + 1} of {len(config.training.stages)}: up to {stage.epochs} epochs, {learning:,} of "
            f"{model.count_params():,} parameters learn, learning rate {rate:g}"
        )
    )
