"""Losses that are not finite: told with their step, and gone back from."""

import re

import keras
import numpy as np
import pytest
from blowing_up import blowing_up
from test_exact_resume import assert_equal_runs, interrupted

from dlrun.config.loading import load_config
from dlrun.engine import checkpointing
from dlrun.engine.divergence import Diverged, LossWatch
from dlrun.errors import ConfigError
from dlrun.events import Note
from dlrun.run_dir import RunDir
from dlrun.train import train

pytestmark = pytest.mark.usefixtures("every_step_is_heard_of")
MODES = ("stepwise", "whole_epoch")
ONE_QUICK = [pytest.param("stepwise", marks=pytest.mark.slow), "whole_epoch"]
CALLBACKS = [
    "CSVLogger",
    {"name": "TensorBoard", "log_dir": "scalars"},
    {"name": "EarlyStopping", "patience": 2, "min_delta": 50.0, "restore_best_weights": True},
    {"name": "ReduceLROnPlateau", "patience": 1, "factor": 0.9, "min_delta": 50.0},
]
ROLLBACK = {"on_nan": "rollback"}
DECAY = {"ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugin")
    return lambda mode, **keys: blowing_up(folder, mode, **keys)


@pytest.fixture(scope="module")
def rolled_back(config, tmp_path_factory):
    """Finished runs that went back once, by mode, each trained once; with its notes."""
    made = {}

    def get(mode):
        if mode not in made:
            notes = []
            keep = lambda event: notes.append(event.message) if isinstance(event, Note) else None  # noqa: E731
            path = tmp_path_factory.mktemp("whole") / "run"
            made[mode] = train(config(mode, training=ROLLBACK, callbacks=CALLBACKS), run_dir=path, on_event=keep), notes
        return made[mode]

    return get


@pytest.mark.parametrize("mode", MODES)
def test_a_run_goes_back_to_the_epoch_before_and_on_with_half_the_rate(rolled_back, mode):
    run, notes = rolled_back(mode)
    assert len(notes) == 1
    assert re.fullmatch(
        r"loss became (nan|inf) in step 4 of epoch 2: back to the end of epoch 1 with half the learning rate, "
        r"0\.1 -> 0\.05 \(rollback 1 of 3\)",
        notes[0],
    )
    assert run.record()["rollbacks"] == [{"epoch": 2, "step": 4, "learning_rate": pytest.approx(0.05)}]
    rates = [row["learning_rate"] for row in run.history()]
    assert rates == pytest.approx([0.1, 0.05, 0.045])  # what callbacks remember went back, too: the first to stop is 3
    rows = (run.path / "artefacts").glob("*.csv").__next__().read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "0", "1", "2"]


def test_both_modes_go_back_alike(rolled_back):
    one, other = (rolled_back(mode)[0].history() for mode in MODES)
    for first, second in zip(one, other, strict=True):
        assert first == pytest.approx(second, abs=1e-5)


@pytest.mark.parametrize(
    ("mode", "epoch", "step"),
    [
        ("whole_epoch", 2, 2),  # before the loss breaks
        ("stepwise", 3, 5),  # in the epoch after
        pytest.param("stepwise", 2, 2, marks=pytest.mark.slow),
        pytest.param("whole_epoch", 3, 5, marks=pytest.mark.slow),
        *(pytest.param(mode, 2, None, marks=pytest.mark.slow) for mode in MODES),  # when that epoch is done again
    ],
)
def test_a_run_stopped_about_a_rollback_equals_one_that_was_not_stopped(
    config, rolled_back, outputs, mode, epoch, step
):
    cut = interrupted(config(mode, training=ROLLBACK, callbacks=CALLBACKS), outputs / "cut", epoch, step)
    train(load_config(cut.config_file), resume=cut)
    whole = rolled_back(mode)[0]
    assert_equal_runs(cut, whole)
    assert cut.record()["rollbacks"] == whole.record()["rollbacks"]


@pytest.mark.parametrize("mode", ONE_QUICK)
def test_a_run_that_stops_tells_the_step_and_what_is_kept_and_goes_on_by_rollback(config, rolled_back, outputs, mode):
    config = config(mode, callbacks=CALLBACKS, training={"checkpoint_every_seconds": 0})
    with pytest.raises(Diverged) as caught:
        train(config, run_dir=outputs / "stopped")
    run = RunDir(outputs / "stopped")
    told = str(caught.value)
    assert re.search(r"loss became (nan|inf) in step 4 of epoch 2\n +the checkpoint after epoch 1 is kept\n", told)
    assert f"dlrun train --resume {run.path} -s training.on_nan=rollback" in told
    assert "optimizer.clipnorm" in told
    assert (run.status(), run.record()["failure"]["kind"]) == ("failed", "nan")
    kept = checkpointing.read(run.checkpoint)
    assert all(np.isfinite(array).all() for array in kept.arrays.values())
    train(load_config(run.config_file, ["training.on_nan=rollback"]), resume=run)
    assert_equal_runs(run, rolled_back(mode)[0])


@pytest.mark.parametrize("mode", ONE_QUICK)
def test_rollbacks_are_bounded(config, outputs, monkeypatch, mode):
    monkeypatch.setattr("dlrun.engine.whole_epoch.CHUNK_SECONDS", 1)
    monkeypatch.setattr("dlrun.engine.whole_epoch._FIRST_CHUNK", 8)
    config = config(mode, model={"bound": 0.0}, training={**ROLLBACK, "most_rollbacks": 2})
    with pytest.raises(Diverged, match=r"in step 4 of epoch 2, after 2 rollbacks") as caught:
        train(config, run_dir=outputs / "bounded")
    assert "on_nan" not in str(caught.value)
    rates = [entry["learning_rate"] for entry in RunDir(outputs / "bounded").record()["rollbacks"]]
    assert rates == pytest.approx([0.05, 0.025])


def test_the_start_counts_as_an_epoch(config, outputs):
    config = config("whole_epoch", model={"at": 3, "bound": 0.15}, training={**ROLLBACK, "epochs": 1})
    notes = []
    run = train(config, run_dir=outputs / "start", on_event=notes.append)
    assert [note.message.split(": ")[1] for note in notes if isinstance(note, Note)] == [
        "back to the start with half the learning rate, 0.1 -> 0.05 (rollback 1 of 3)"
    ]
    assert len(run.history()) == 1


@pytest.mark.parametrize("mode", ONE_QUICK)
def test_a_step_of_ones_own_is_watched_in_each_step(config, outputs, monkeypatch, mode):
    monkeypatch.setattr("dlrun.engine.whole_epoch.CHUNK_SECONDS", 1)  # so that a chunk has all steps but the last one
    monkeypatch.setattr("dlrun.engine.whole_epoch._FIRST_CHUNK", 8)
    config = config(mode, model={"own_step": True}, monitor="loss")
    with pytest.raises(Diverged, match="loss became nan in step 4 of epoch 2"):
        train(config, run_dir=outputs / "own")


class Breaking(keras.callbacks.Callback):
    """Breaks a weight at the end of the second epoch."""

    def on_epoch_end(self, epoch, logs=None):
        weight = self.model.trainable_variables[0]
        if epoch == 1:
            weight.assign(weight + float("nan"))


def test_weights_that_are_not_finite_are_not_kept(digits, outputs, monkeypatch):
    monkeypatch.setattr(keras.callbacks, "History", Breaking)
    training = {"epochs": 2, "batch_size": 2000, "tensorboard": False}
    with pytest.raises(Diverged, match="the weights are nan or infinite after step 1 of epoch 2"):
        train(digits(training=training, callbacks=["History"]), run_dir=outputs / "weights")
    assert [path.name for path in checkpointing.generations(outputs / "weights" / "checkpoint")] == ["000001"]


def test_a_schedule_set_by_a_plugin_is_refused_before_training():
    from dlrun.engine.variables import rates_can_be_set, set_learning_rates

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ConfigError, match="no optimizer is built"):
        set_learning_rates(model, [])
    for rate, possible in ((keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5), False), (0.1, True)):
        model.compile(keras.optimizers.SGD(rate), "mse")
        model.optimizer.build(model.trainable_variables)
        assert rates_can_be_set(model) is possible


def test_a_watch_names_the_first_step_and_tells_validation_from_it():
    watch = LossWatch()
    watch.on_epoch_begin(2)
    for step, loss in enumerate((1.0, float("inf"), float("nan")), 1):
        watch.on_train_batch_end(step - 1, {"accuracy": float("nan"), "loss": loss})
    with pytest.raises(Diverged, match=r"loss became inf in step 2 of epoch 3"):
        watch.look()
    watch.on_epoch_begin(3)
    watch.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(Diverged, match=r"val_loss became nan after step 1 of epoch 4"):
        watch.on_epoch_end(3, {"loss": 1.0, "val_loss": float("nan")})
