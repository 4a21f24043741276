"""What holds on JAX. Keras' backend is fixed for a process: `test_jax.py` runs this file in one of its own."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from blowing_up import blowing_up
from stated_weights import history_from_stated_weights

from dlrun.config.loading import config_from_mapping, load_config
from dlrun.config.schema import Runtime
from dlrun.engine import checkpointing, recorder, whole_epoch
from dlrun.engine.jax_steps import loops_well
from dlrun.engine.model_files import load_model
from dlrun.engine.session import start_session
from dlrun.errors import ConfigError, Interrupted
from dlrun.evaluate import evaluate
from dlrun.predict import predict
from dlrun.run_dir import RunDir, list_runs
from dlrun.train import train

RANDOM = {"name": "mlp", "hidden": [8], "dropout": 0.4, "batch_normalization": True, "kernel_regularizer": "l2"}
SEVERAL = {"epochs": 2, "batch_size": 320, "tensorboard": False}
WEIGHED = {"epochs": 2, "batch_size": 500, "class_weight": "balanced", "tensorboard": False}
VARIATIONS = {"rotation": 40, "width_shift": 0.2, "shear": 0.2, "zoom": 0.2, "horizontal_flip": True}
TRAINING = {"epochs": 2, "batch_size": 575, "tensorboard": False}  # two batches of digits, and no partial one


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    start_session(Runtime(backend="jax", threads=1), 1)


def configured(runtime=None, **keys):
    """A small config for JAX; keyword arguments replace top-level keys, `runtime` adds to the section."""
    defaults = {"name": "j", "data": "digits", "model": {"name": "mlp", "hidden": [8]}, "training": TRAINING}
    return config_from_mapping({**defaults, **keys, "runtime": {"backend": "jax", **(runtime or {})}})


def weights(run, which):
    return load_model(run.model_file(which)).get_weights()


@pytest.mark.parametrize(
    "keys",
    [
        {"model": RANDOM, "training": WEIGHED},
        {"data": "social_posts", "model": {"name": "embedding_mlp"}, "training": SEVERAL},
        {"data": {"name": "digits", "image": True, "augment": VARIATIONS}},
    ],
    ids=["random layers, batch normalization, class weights", "several outputs", "augmented pictures"],
)
def test_whole_epochs_and_single_steps_give_the_same_run(outputs, keys):
    whole = train(configured({"execution": "whole_epoch"}, **keys), outputs=outputs)
    steps = train(configured({"execution": "stepwise"}, **keys), outputs=outputs)
    for one, other in zip(whole.history(), steps.history(), strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    for one, other in zip(weights(whole, "last"), weights(steps, "last"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.fixture(scope="module")
def packed():
    """A config for rows packed into bits, with a seed that moves on; the first epoch counts as the best."""
    return configured(
        data={"name": "imdb", "sample": True, "num_words": 500},
        model={"name": "mlp", "hidden": [8], "dropout": 0.5},
        monitor={"metric": "val_loss", "mode": "max"},
        optimizer={"name": "adam"},
    )


@pytest.fixture(scope="module")
def packed_run(packed, tmp_path_factory):
    return train(packed, outputs=tmp_path_factory.mktemp("packed"))


def test_a_resumed_run_equals_an_uninterrupted_one_bit_by_bit(packed, packed_run, outputs, monkeypatch):
    on_epoch_end = recorder.RunRecorder.on_epoch_end

    def stopped(self, epoch, logs=None):
        self.stop_asked = lambda: True
        on_epoch_end(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(recorder.RunRecorder, "on_epoch_end", stopped)
        with pytest.raises(Interrupted, match="after 1 epoch"):
            train(packed, outputs=outputs)
    (run,) = list_runs(outputs)
    after_one_epoch = weights(run, "best")
    train(load_config(run.config_file), resume=run)
    assert run.history() == packed_run.history()
    for one, other in zip(weights(run, "last"), weights(packed_run, "last"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert packed_run.metrics()["best_epoch"] == 1  # those weights must not have changed with the later steps
    for one, other in zip(after_one_epoch, weights(packed_run, "best"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mode", ["stepwise", "whole_epoch"])
@pytest.mark.parametrize("step", [1, 2])
def test_a_run_stopped_inside_an_epoch_equals_an_uninterrupted_one_bit_by_bit(outputs, monkeypatch, mode, step):
    monkeypatch.setattr(whole_epoch, "CHUNK_SECONDS", 1e-9)
    monkeypatch.setattr(whole_epoch, "_FIRST_CHUNK", 1)
    training = {**TRAINING, "epochs": 2, "batch_size": 574}  # the last batch of an epoch has two rows
    config = configured({"execution": mode}, model=RANDOM, training=training, metrics=["accuracy", {"AUC": {}}])
    config = config.model_copy(update={"loss": "categorical_crossentropy"})
    whole = train(config, run_dir=outputs / "whole")
    on_train_batch_end = recorder.RunRecorder.on_train_batch_end

    def stopped(self, batch, logs=None):
        self.stop_asked = lambda: self.progress.epochs == 1 and batch + 1 == step
        on_train_batch_end(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(recorder.RunRecorder, "on_train_batch_end", stopped)
        with pytest.raises(Interrupted, match=f"after step {step} of epoch 2"):
            train(config, run_dir=outputs / "cut")
    run = RunDir(outputs / "cut")
    train(load_config(run.config_file), resume=run)
    assert run.history() == whole.history()
    ends = [checkpointing.read(one.checkpoint).arrays for one in (run, whole)]
    assert ends[0].keys() == ends[1].keys()
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)


@pytest.mark.parametrize("conv", [False, True], ids=["in one loop", "call by call"])
def test_a_loss_that_is_not_finite_is_told_with_its_step_and_gone_back_from(outputs, tmp_path, monkeypatch, conv):
    if conv:
        monkeypatch.setattr("dlrun.engine.jax_steps.loops_well", lambda model: False)
    runs = []
    for mode in ("stepwise", "whole_epoch"):
        training = {"on_nan": "rollback", "epochs": 2}
        config = blowing_up(tmp_path, mode, training=training, runtime={"backend": "jax"})
        runs.append(train(config, run_dir=outputs / mode))
        assert runs[-1].record()["rollbacks"] == [{"epoch": 2, "step": 4, "learning_rate": pytest.approx(0.05)}]
    for one, other in zip(*(run.history() for run in runs), strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_evaluate_and_predict_agree_with_the_history(packed, packed_run):
    score = evaluate(packed, packed_run.model_file("last"), run=packed_run, split="validation").score
    last = packed_run.history()[-1]
    assert score.values["accuracy"] == pytest.approx(last["val_accuracy"], abs=1e-6)
    assert score.values["loss"] == pytest.approx(last["val_loss"], rel=1e-5)
    rows = predict(packed_run, packed, split="validation").rows
    assert len(rows) == score.rows
    assert all(0.5 <= row["probability"] <= 1 for row in rows)


def test_64_bits_are_64_bits_until_the_next_session():
    start_session(Runtime(backend="jax", precision="float64"), 1)
    assert keras.layers.Dense(1)(np.ones((1, 1))).dtype == "float64"
    start_session(Runtime(backend="jax"), 1)
    assert keras.layers.Dense(1)(np.ones((1, 1))).dtype == "float32"


def test_threads_are_those_of_the_first_session():
    assert start_session(Runtime(backend="jax", threads=7), 1).threads == 1


def test_whole_epochs_without_compiling_are_refused(outputs):
    with pytest.raises(ConfigError, match="JAX compiles whole epochs"):
        train(configured({"execution": "whole_epoch", "jit_compile": False}), outputs=outputs)


@pytest.mark.parametrize(("layer", "well"), [(keras.layers.Conv1D(2, 3), False), (keras.layers.Dense(2), True)])
def test_on_a_cpu_convolutions_are_not_put_into_a_compiled_loop(layer, well):
    assert loops_well(keras.Sequential([keras.Input((8, 2)), layer])) is well


def test_the_history_from_stated_weights_for_comparison(outputs):
    Path(os.environ["JAX_HISTORY"]).write_text(json.dumps(history_from_stated_weights("jax", outputs)))


NETS = {
    "gan": {"name": "dcgan", "latent_size": 4, "generator_filters": 4, "discriminator_filters": 4, "strided_layers": 1},
    "vae": {"name": "autoencoder", "filters": [4, 4], "hidden": 4, "decoder_filters": 4},
}


@pytest.mark.parametrize(("routine", "optimizers"), [("gan", 2), ("vae", 1)])
def test_two_nets_go_on_bit_by_bit_with_their_optimizers(outputs, monkeypatch, routine, optimizers):
    training = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 8, "tensorboard": False}
    data = {"name": "digits", "image": True}
    config = configured(data=data, model=NETS[routine], routine=routine, training=training, split={"validation": 0})
    whole = train(config, run_dir=outputs / "whole")
    on_epoch_end = recorder.RunRecorder.on_epoch_end

    def stopped(self, epoch, logs=None):
        self.stop_asked = lambda: True
        on_epoch_end(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(recorder.RunRecorder, "on_epoch_end", stopped)
        with pytest.raises(Interrupted, match="after 1 epoch"):
            train(config, run_dir=outputs / "cut")
    run = RunDir(outputs / "cut")
    first = checkpointing.read(run.checkpoint).arrays
    train(load_config(run.config_file), resume=run)
    assert run.history() == whole.history()
    ends = [checkpointing.read(one.checkpoint).arrays for one in (run, whole)]
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
    moved = {name.split("/")[0] for name, array in ends[0].items() if not np.array_equal(array, first[name])}
    assert moved == {"model", *(f"optimizer{number}" for number in range(optimizers))}


def test_a_gan_needs_whole_epochs(outputs):
    keys = {
        "data": {"name": "digits", "image": True},
        "model": {"name": "dcgan", "strided_layers": 1},
        "routine": "gan",
    }
    with pytest.raises(ConfigError, match="needs whole epochs"):
        train(configured({"execution": "stepwise"}, **keys), outputs=outputs)
