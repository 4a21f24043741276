import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.errors import ConfigError

DECAY = {"ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}}
STEPS = {"PiecewiseConstantDecay": {"boundaries": [10, 20], "values": [0.1, 0.01]}}


def check(**sections):
    return config_from_mapping({"data": "digits", **sections})


@pytest.mark.parametrize(
    ("callback", "optimizer", "text"),
    [
        ({"name": "ReduceLROnPlateau"}, {"learning_rate": DECAY}, "optimizer.learning_rate is a schedule"),
        ({"name": "SwapEMAWeights"}, {}, "add `use_ema: true`"),
        ({"name": "EarlyStopping", "monitor": "loss", "mode": "mni"}, {}, "did you mean min?"),
        ({"name": "ModelCheckpoint", "filepath": "best"}, {}, "whole models in files that end in .keras or .h5"),
        ({"name": "ModelCheckpoint", "save_weights_only": True}, {}, "weights alone in files that end in .weights.h5"),
        ({"name": "ModelCheckpoint", "save_freq": "batch"}, {}, "neither `epoch` nor a number of batches"),
        ({"name": "BackupAndRestore", "backup_dir": "x"}, {}, "a run keeps its own checkpoints"),
        ({"name": "TerminateOnNaN"}, {"clipnorm": 1.0, "clipvalue": 0.5}, "clipnorm and clipvalue"),
        ({"name": "TerminateOnNaN"}, {"learning_rate": STEPS}, "3, one more than there are boundaries"),
    ],
)
def test_what_keras_would_refuse_in_the_run_is_refused_before(callback, optimizer, text):
    with pytest.raises(ConfigError, match=text) as caught:
        check(callbacks=[callback], optimizer={"name": "sgd", **optimizer})
    assert len(caught.value.problems) == 1


def test_a_rollback_cannot_halve_a_schedule():
    with pytest.raises(ConfigError, match=r"training\.on_nan: rollback halves the learning rate, and .* is a schedule"):
        check(training={"on_nan": "rollback"}, optimizer={"name": "sgd", "learning_rate": DECAY})
    check(training={"on_nan": "rollback"}, optimizer={"name": "sgd", "learning_rate": 0.1})
    check(training={"on_nan": "stop"}, optimizer={"name": "sgd", "learning_rate": DECAY})


@pytest.mark.parametrize(
    ("callback", "optimizer"),
    [
        ({"name": "ReduceLROnPlateau", "monitor": "val_accuracy", "mode": "max"}, {"learning_rate": 0.1}),
        ({"name": "SwapEMAWeights"}, {"use_ema": True}),
        ({"name": "EarlyStopping", "mode": "max"}, {}),
        ({"name": "EarlyStopping", "monitor": "val_accuracy"}, {"learning_rate": DECAY, "clipnorm": 1.0}),
        ({"name": "ModelCheckpoint", "filepath": "a.weights.h5", "save_weights_only": True, "save_freq": 10}, {}),
        ({"name": "TerminateOnNaN"}, {"clipnorm": None, "clipvalue": 0.5}),
    ],
)
def test_what_keras_takes_passes(callback, optimizer):
    assert check(callbacks=[callback], optimizer={"name": "sgd", **optimizer}).callbacks
