"""Trains one experiment stepwise and in whole epochs, for tests that compare the two."""

import csv
from dataclasses import dataclass, field

import keras
import numpy as np
from PIL import Image

from dlrun.config.loading import config_from_mapping
from dlrun.engine import execution
from dlrun.engine.compiling import compile_model, settled_outputs, settled_sections
from dlrun.engine.divergence import LossWatch
from dlrun.engine.execution_rules import Execution
from dlrun.engine.feeding import Feeder
from dlrun.engine.progress import Progress
from dlrun.engine.resolve import Experiment, build_model, load_data
from dlrun.engine.task_rules import with_labels_for
from dlrun.engine.variables import state_variables
from dlrun.engine.weighting import sample_weights
from dlrun.seeds import child_seed


class Watch(keras.callbacks.Callback):
    """Stands where the recorder of a run stands; keeps the rows of the history and the steps it hears of."""

    checkpoint, stage, stage_began = None, 0, 0

    def __init__(self):
        super().__init__()
        self.watch = LossWatch()
        self.progress, self.history, self.steps = Progress(), [], []

    def on_steps(self, steps, logs):
        self.steps.append(steps)

    def on_epoch_end(self, epoch, logs=None):
        self.history.append({name: float(value) for name, value in logs.items()})


@dataclass
class Trained:
    """The model, its history (epoch 1 first), and all variables by group."""

    model: keras.Model
    watch: Watch
    history: list[dict[str, float]]
    state: dict[str, list[np.ndarray]] = field(default_factory=dict)


def make_experiment(**sections):
    """A config and its data, without a run."""
    sections = {"training": {"epochs": 2, "batch_size": 32}, **sections}
    config = config_from_mapping(sections)
    experiment = Experiment(config, None, load_data(config), lambda event: None)
    if not experiment.data.spec.tasks:
        return experiment
    experiment.config = config.model_copy(update=settled_sections(config, experiment.data))
    losses = {name: output.loss for name, output in settled_outputs(experiment.config, experiment.data.spec).items()}
    experiment.data = with_labels_for(losses, experiment.data)
    return experiment


def train_in(mode, experiment, *, model=None, callbacks=(), jit_compile=False):
    """Train from the same start in "stepwise" or "whole_epoch"; `model` makes a compiled one."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(child_seed(experiment.config.seed, "init"))
    if model is None:
        made = build_model(experiment.config.model, experiment.data.spec)
        compile_model(made, experiment.config, experiment.data.spec)
    else:
        made = model()
    made.jit_compile = jit_compile
    feeder = Feeder.of(experiment.data, weights=sample_weights(experiment))
    watch = Watch()
    execution._fit(
        made, experiment, Execution(mode, jit_compile), feeder, [*callbacks, watch], lambda number, began: None
    )
    state = {
        group: [keras.ops.convert_to_numpy(variable) for variable in variables]
        for group, variables in state_variables(made).items()
    }
    return Trained(made, watch, watch.history, state)


def largest_difference(one, other):
    """The largest difference between histories and between variables of two trainings; relative to values above 1."""
    assert [row.keys() for row in one.history] == [row.keys() for row in other.history]
    assert one.state.keys() == other.state.keys()
    pairs = [(a[name], b[name]) for a, b in zip(one.history, other.history, strict=True) for name in a]
    for group, arrays in one.state.items():
        pairs += zip(arrays, other.state[group], strict=True)
    return max(_difference(np.float64(a), np.float64(b)) for a, b in pairs)


def _difference(one, other):
    return float(np.max(np.abs(one - other) / np.maximum(1, np.abs(one)), initial=0.0))


def write_files(folder):
    """A table `t.csv`, texts `x.csv`, a series `s.csv` and images of two classes `pets/`."""
    kinds, words = "abc", (("good", "fine"), ("bad", "awful"))
    texts = [f"the {words[n % 2][0]} film number {n % 7} was {words[n % 2][1]} and long" for n in range(80)]
    days = [f"2020-01-{1 + n // 24:02d} {n % 24:02d}:00:00" for n in range(120)]
    _write_rows(folder / "t.csv", "size,kind,price", [(n % 13, kinds[n % 3], n % 13 * 2 + n % 3) for n in range(90)])
    _write_rows(folder / "x.csv", "text,label", [(text, n % 2) for n, text in enumerate(texts)])
    _write_rows(folder / "s.csv", "time,temp,wind", [(d, f"{np.sin(n / 5):.4f}", n % 7) for n, d in enumerate(days)])
    random = np.random.default_rng(1)
    for row in range(40):
        path = folder / "pets" / ("cats", "dogs")[row % 2] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12, 10, 3)).astype("uint8")).save(path)
    return folder


def _write_rows(path, header, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header.split(","), *rows])
