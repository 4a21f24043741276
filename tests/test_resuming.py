"""Which runs can go on, and under which config. That a resumed run equals a whole one: tests/test_train.py."""

import numpy as np
import pytest

from dlrun.config.changes import changes
from dlrun.config.loading import load_config
from dlrun.engine import checkpointing
from dlrun.errors import ConfigError
from dlrun.resuming import check_resumable, config_to_resume, resumed_identity
from dlrun.train import train

DROPOUT = {"name": "mlp", "hidden": [16], "dropout": 0.5}


@pytest.fixture(scope="module")
def finished(digits_run, tmp_path_factory):
    """A completed run of two epochs; tests only read it."""
    config = load_config(digits_run.config_file, ["training.epochs=2"])
    return train(config, outputs=tmp_path_factory.mktemp("outputs"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"seed": 1}, {"seed": 2}, ["seed: 1 -> 2"]),
        ({"model": {"name": "mlp", "hidden": [16]}}, {"model": "mlp"}, ["model.hidden: [16] -> [64, 64]"]),
        (
            {"callbacks": [{"name": "EarlyStopping", "patience": 3}]},
            {"callbacks": [{"name": "EarlyStopping", "patience": 4}]},
            ["callbacks[0].patience: 3 -> 4"],
        ),
        ({"callbacks": []}, {"callbacks": ["CSVLogger"]}, []),
        ({}, {}, []),
    ],
)
def test_every_key_that_differs_is_told(digits, before, after, told):
    assert [str(change) for change in changes(digits(**before), digits(**after))] == told


def test_all_refused_changes_are_told_at_once_with_what_may_change(finished):
    with pytest.raises(ConfigError, match="keeps what it was begun with") as caught:
        config_to_resume(finished, ["seed=2", "training.batch_size=64", "training.epochs=9"])
    (problem,) = caught.value.problems
    assert problem.received == "seed: 1 -> 2\ntraining.batch_size: 128 -> 64"
    assert "training.epochs" in problem.expected


def test_a_config_edited_in_the_run_is_seen(digits, outputs):
    run = train(digits(), outputs=outputs)
    run.config_file.write_text(run.config_file.read_text().replace("learning_rate: 0.001", "") + "\nseed: 5\n")
    with pytest.raises(ConfigError):
        config_to_resume(run)
    run.config_file.write_text(run.config_file.read_text().replace("seed: 1\n", ""))
    with pytest.raises(ConfigError, match="keeps what it was begun with"):
        config_to_resume(run, ["training.epochs=9"])


def test_a_completed_run_has_nothing_to_resume_and_says_how_to_make_it_longer(finished):
    with pytest.raises(ConfigError, match="is completed") as caught:
        config_to_resume(finished)
    assert "-s training.epochs=4" in caught.value.problems[0].hint


def test_fewer_epochs_than_were_trained_are_refused(finished):
    with pytest.raises(ConfigError, match="is in epoch 2"):
        config_to_resume(finished, ["training.epochs=1"])


def test_a_completed_run_with_stages_is_not_said_to_become_longer_by_its_epochs(finished, monkeypatch):
    staged = ["training.stages=[{epochs: 1}, {epochs: 1}]"]
    config = load_config(finished.config_file, staged)
    monkeypatch.setattr("dlrun.resuming._refuse_changes", lambda trained, config: None)
    with pytest.raises(ConfigError, match="a new run with more of them"):
        check_resumable(finished, config)


def test_a_completed_run_made_longer_equals_one_that_was_longer_from_the_start(digits, outputs):
    training = {"batch_size": 128, "tensorboard": False}
    short = train(digits(model=DROPOUT, training={**training, "epochs": 2}), outputs=outputs)
    train(config_to_resume(short, ["training.epochs=4"]), resume=short)
    whole = train(digits(model=DROPOUT, training={**training, "epochs": 4}), outputs=outputs)
    assert short.status() == "completed"
    assert short.history_file.read_text() == whole.history_file.read_text()
    ends = [checkpointing.read(run.checkpoint).arrays for run in (short, whole)]
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
    assert short.metrics()["epochs"] == 4


def test_a_run_that_a_callback_ended_stays_as_it_is(digits, outputs):
    stopping = [{"name": "EarlyStopping", "patience": 0, "monitor": "loss", "mode": "max"}]
    run = train(digits(callbacks=stopping), outputs=outputs)
    with pytest.raises(ConfigError, match="a callback or its routine ended it after 2 epochs"):
        config_to_resume(run, ["training.epochs=20"])


def test_from_python_the_same_changes_are_refused(digits, finished):
    with pytest.raises(ConfigError, match="keeps what it was begun with"):
        train(digits(seed=7, training={"epochs": 30}), resume=finished)


def test_a_run_that_goes_on_stays_the_same_experiment_unless_it_gets_longer(finished):
    record = finished.record()
    assert len(record["identity"]) == 64
    assert resumed_identity(finished, load_config(finished.config_file), record) == record["identity"]
    assert resumed_identity(finished, load_config(finished.config_file, ["training.epochs=4"]), record) is None
