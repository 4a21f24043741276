"""A run that was stopped at any moment and resumed equals, bit for bit, one that was never stopped."""

import itertools
import os
import signal

import numpy as np
import pytest
from test_execution import NOISY

from dlrun.config.loading import load_config
from dlrun.engine import checkpointing
from dlrun.engine.recorder import RunRecorder
from dlrun.engine.tensorflow_steps import JoinedSteps
from dlrun.errors import Interrupted
from dlrun.events import StepDone
from dlrun.run_dir import RunDir
from dlrun.train import train

pytestmark = pytest.mark.usefixtures("every_step_is_heard_of")
MODES = ("stepwise", "whole_epoch")
TRAINING = {"epochs": 4, "batch_size": 64, "tensorboard": False, "checkpoint_every_seconds": 1000}
STEPS = 8  # an epoch's 450 rows in batches of 64, the last of 2
OWN_STEP = '''
import dlrun
import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("exact_resume")
class OwnStep(keras.Model):
    """Logs the loss of the last batch, under another name."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        self.compute_metrics(x, y, y_pred, None)
        return {"loss": loss, "parts": {"tenth": loss / 10}}


@dlrun.model("own_step")
def own_step(spec):
    """Dropout in a model with a step of its own."""
    inputs = keras.Input((64,))
    hidden = keras.layers.Dropout(0.4)(keras.layers.Dense(8, "relu")(inputs))
    return OwnStep(inputs, keras.layers.Dense(10, "softmax")(hidden))
'''
NESTED = """
import dlrun
import keras


@dlrun.model("nested")
def nested(spec):
    inputs = keras.Input((64,))
    first = keras.layers.Dense(8, "relu", name="first")(inputs)
    normal = keras.layers.BatchNormalization(name="normal")(first)
    base = keras.Model(inputs, keras.layers.Dense(8, "relu", name="second")(normal), name="base")
    base.trainable = False
    images = keras.Input((64,))
    found = keras.layers.Dropout(0.4)(base(images))
    return keras.Model(images, keras.layers.Dense(10, "softmax")(found))
"""
NETS = {
    "stages": {
        "plugins": ["nested.py"],
        "model": "nested",
        "training": {**TRAINING, "stages": [{"epochs": 2}, {"epochs": 2, "unfreeze": "second", "learning_rate": 1e-4}]},
        "callbacks": [{"name": "EarlyStopping", "patience": 3, "restore_best_weights": True}, {"name": "CSVLogger"}],
    },
    "all at once": {
        "plugins": ["noisy.py"],
        "data": "noisy_digits",
        "model": {
            "name": "layers",
            "layers": [{"Dense": {"units": 8}}, "BatchNormalization", {"Dropout": {"rate": 0.4}}],
        },
        "optimizer": {"name": "adam", "use_ema": True, "ema_momentum": 0.5},
        "callbacks": [
            {"name": "EarlyStopping", "patience": 3, "min_delta": 5.0, "restore_best_weights": True},
            {"name": "ReduceLROnPlateau", "patience": 0, "min_delta": 1.0},
            {"name": "SwapEMAWeights"},
        ],
    },
    "XLA": {
        "jit_compile": True,
        "model": {"name": "mlp", "hidden": [8], "dropout": 0.4, "batch_normalization": True},
    },
    "a step of its own": {"plugins": ["own_step.py"], "model": "own_step"},
    "a step of its own, by XLA": {
        "jit_compile": True,
        "plugins": ["own_step.py"],
        "model": "own_step",
    },
    "dropout": {"model": {"name": "mlp", "hidden": [8], "dropout": 0.4}},
    "batch normalization": {"model": {"name": "mlp", "hidden": [8], "batch_normalization": True}},
    "augmentation": {"plugins": ["noisy.py"], "data": "noisy_digits"},
    "penalties": {"model": {"name": "mlp", "hidden": [8], "kernel_regularizer": {"L2": {"l2": 0.1}}}},
    "varied pictures": {
        "data": {"name": "digits", "image": True, "augment": {"rotation": 40, "horizontal_flip": True}}
    },
    "early stopping": {
        "callbacks": [{"name": "EarlyStopping", "patience": 2, "min_delta": 5.0, "restore_best_weights": True}]
    },
    "plateau": {"callbacks": [{"name": "ReduceLROnPlateau", "patience": 0, "min_delta": 1.0}]},
    "averaged weights": {
        "callbacks": [{"name": "SwapEMAWeights", "swap_on_epoch": True}],
        "optimizer": {"name": "adam", "use_ema": True, "ema_momentum": 0.5},
    },
    "draws with replacement": {"training": {**TRAINING, "draws": "with_replacement", "steps_per_epoch": 8}},
    "a metric with a state": {"metrics": ["accuracy", {"AUC": {}}], "loss": "categorical_crossentropy"},
}
MOMENTS = {"in epoch 1": (1, 3), "at the end of epoch 2": (2, None), "in epoch 3": (3, 5), "before validation": (2, 8)}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Makes a small config on digits of which an epoch has 8 steps."""
    from dlrun.config.loading import config_from_mapping

    folder = tmp_path_factory.mktemp("plugins")
    (folder / "noisy.py").write_text(NOISY)

    (folder / "own_step.py").write_text(OWN_STEP)
    (folder / "nested.py").write_text(NESTED)

    def make(mode, *, jit_compile=False, **keys):
        if "plugins" in keys:
            keys = {**keys, "plugins": [str(folder / name) for name in keys["plugins"]]}
        defaults = {
            "name": "small",
            "data": "digits",
            "split": {"test": 1247, "validation": 100},
            "model": {"name": "mlp", "hidden": [8]},
            "training": TRAINING,
            "runtime": {"execution": mode, "jit_compile": jit_compile},
        }
        return config_from_mapping({**defaults, **keys})

    return make


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """Finished runs by (mode, net), each trained once."""
    made = {}

    def get(mode, net):
        if (mode, net) not in made:
            made[mode, net] = train(small(mode, **NETS[net]), outputs=tmp_path_factory.mktemp("whole"))
        return made[mode, net]

    return get


def interrupted(config, path, epoch, step):
    """A run that is stopped as Ctrl-C does it; without a step when the epoch has ended."""
    end_epoch = RunRecorder.on_epoch_end

    def listen(event):  # the step after the one that is heard of is the last one
        if step and isinstance(event, StepDone) and (event.epoch, event.step) == (epoch, step - 1):
            os.kill(os.getpid(), signal.SIGINT)

    def stop_at_end(recorder, number, logs=None):
        if step is None and number + 1 == epoch:
            os.kill(os.getpid(), signal.SIGINT)
        end_epoch(recorder, number, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunRecorder, "on_epoch_end", stop_at_end)
        with pytest.raises(Interrupted) as caught:
            train(config, run_dir=path, on_event=listen)
    assert caught.value.exit_code == 75
    return RunDir(path)


def assert_equal_runs(one, other):
    assert one.history_file.read_bytes() == other.history_file.read_bytes()
    ends = [checkpointing.read(run.checkpoint) for run in (one, other)]
    assert ends[0].arrays.keys() == ends[1].arrays.keys()
    for name, array in ends[0].arrays.items():
        np.testing.assert_array_equal(array, ends[1].arrays[name], err_msg=name)
    for end in ends:
        del end.state["seconds"]
    assert ends[0].state == ends[1].state
    for which in ("best", "last"):
        one_file, other_file = (run.model_file(which) for run in (one, other))
        assert weights_in(one_file) == weights_in(other_file)


def weights_in(file):
    import keras

    return [array.tobytes() for array in keras.saving.load_model(file, compile=False).get_weights()]


QUICK = [(mode, "all at once", moment) for mode in MODES for moment in MOMENTS if "end" not in moment]
QUICK += [(mode, "stages", moment) for mode in MODES for moment in ("at the end of epoch 2", "in epoch 3")]
QUICK += [(mode, "draws with replacement", "in epoch 3") for mode in MODES]
SLOW = [(mode, net, "in epoch 3") for mode in MODES for net in NETS]
SLOW += [(mode, "all at once", "at the end of epoch 2") for mode in MODES]
CASES = [case for case in itertools.product(MODES, NETS, MOMENTS) if "XLA" not in case[1] or "epoch 3" in case[2]]


def _mark(case):
    return [] if case in QUICK else [pytest.mark.slow if case in SLOW else pytest.mark.long]


@pytest.mark.parametrize(("mode", "net", "moment"), [pytest.param(*case, marks=_mark(case)) for case in CASES])
def test_a_stopped_and_resumed_run_equals_one_that_was_not_stopped(small, whole, outputs, mode, net, moment):
    epoch, step = MOMENTS[moment]
    cut = interrupted(small(mode, **NETS[net]), outputs / "cut", epoch, step)
    newest = checkpointing.read(cut.checkpoint)
    assert (newest.epoch, newest.step) == ((epoch, 0) if step is None else (epoch - 1, step))
    train(load_config(cut.config_file), resume=cut)
    assert_equal_runs(cut, whole(mode, net))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("moment", ["in epoch 3", "before validation"])
def test_epochs_in_one_call_equal_those_step_by_step(small, outputs, monkeypatch, moment, jit_compile):
    training = {**TRAINING, "batch_size": 50}
    net = {"training": training, "split": {"test": 1297, "validation": 100}, "jit_compile": jit_compile}
    cut = interrupted(small("whole_epoch", **net), outputs / "cut", *MOMENTS[moment])
    joined = []
    monkeypatch.setattr(JoinedSteps, "train", _listening(JoinedSteps.train, joined))
    train(load_config(cut.config_file), resume=cut)
    assert not any(joined)
    monkeypatch.setattr("dlrun.engine.whole_epoch.CHUNK_SECONDS", 60.0)
    monkeypatch.setattr("dlrun.engine.whole_epoch._FIRST_CHUNK", 100)
    whole = train(small("whole_epoch", **net), outputs=outputs)
    assert sum(joined) == TRAINING["epochs"]
    assert_equal_runs(cut, whole)


def _listening(method, heard):
    """The method, of whose every call it is told whether validation was in it."""

    def call(steps, *arguments):
        found = method(steps, *arguments)
        heard.append(steps._found is not None)
        return found

    return call
