"""Runs in both modes of execution: callbacks, augmentation, stops and resumes."""

import os
import signal

import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.engine import checkpointing
from dlrun.errors import ConfigError, Interrupted, TrainingError
from dlrun.evaluate import evaluate
from dlrun.events import StepDone
from dlrun.predict import predict
from dlrun.run_dir import RunDir
from dlrun.train import train

MODES = ("stepwise", "whole_epoch")
CALLBACKS = {
    "stopping, plateau and files": {
        "callbacks": [
            {"name": "EarlyStopping", "patience": 1, "min_delta": 0.3, "restore_best_weights": True},
            {"name": "ReduceLROnPlateau", "patience": 0, "min_delta": 1.0},
            {"name": "CSVLogger"},
            {"name": "ModelCheckpoint"},
        ],
        "training": {"epochs": 6, "batch_size": 300, "tensorboard": False},
    },
    "averaged weights": {
        "callbacks": [{"name": "SwapEMAWeights", "swap_on_epoch": True}],
        "optimizer": {"name": "adam", "use_ema": True, "ema_momentum": 0.5},
    },
    "a schedule": {
        "optimizer": {
            "name": "sgd",
            "momentum": 0.9,
            "learning_rate": {"ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}},
        }
    },
}
NOISY = '''
import dlrun
import keras
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import encoder
from dlrun.registry import DATASETS


@encoder("noisy")
class NoisyEncoder(ArrayEncoder):
    def augment(self, inputs, seed):
        return inputs + keras.random.normal(keras.ops.shape(inputs), seed=seed)


@dlrun.dataset("noisy_digits")
def noisy_digits(context):
    """Digits under noise."""
    made = DATASETS.get("digits")(context)
    made.encoder = NoisyEncoder("pixels", (64,), divide_by=16.0)
    return made
'''


def in_mode(mode, **sections):
    return {"runtime": {"execution": mode, "jit_compile": False}, **sections}


@pytest.mark.parametrize("case", CALLBACKS)
def test_callbacks_do_the_same_in_both_modes(digits, outputs, case):
    runs = [train(digits(**in_mode(mode, **CALLBACKS[case])), outputs=outputs) for mode in MODES]
    one, other = (run.history() for run in runs)
    assert len(one) == len(other) == (2 if "stopping" in case else 3)
    for first, second in zip(one, other, strict=True):
        assert first == pytest.approx(second, abs=1e-6)
    ends = [checkpointing.read(run.checkpoint) for run in runs]
    for name, array in ends[0].arrays.items():
        np.testing.assert_allclose(array, ends[1].arrays[name], atol=1e-5, err_msg=name)
    files = [sorted(path.name for path in (run.path / "artefacts").glob("*")) for run in runs]
    assert files[0] == files[1] == (["001.keras", "002.keras", "log.csv"] if "stopping" in case else [])


VARIATIONS = {"rotation": 40, "width_shift": 0.2, "shear": 0.2, "zoom": 0.2, "horizontal_flip": True}


@pytest.fixture(
    params=["noisy_digits", {"name": "digits", "image": True, "augment": VARIATIONS}], ids=["noise", "maps"]
)
def noisy(digits, tmp_path, request):
    (tmp_path / "noisy.py").write_text(NOISY)
    training = {"epochs": 3, "batch_size": 100, "tensorboard": False}
    keys = {"plugins": [str(tmp_path / "noisy.py")], "data": request.param, "training": training}
    return lambda mode: digits(**in_mode(mode, **keys))


def test_augmentation_is_the_same_in_both_modes_and_in_a_run_that_was_stopped_in_an_epoch(noisy, outputs, monkeypatch):
    one, other = (train(noisy(mode), outputs=outputs).history() for mode in MODES)
    for first, second in zip(one, other, strict=True):
        assert first == pytest.approx(second, abs=1e-6)

    monkeypatch.setattr("dlrun.engine.recorder.REPORT_SECONDS", 0)
    monkeypatch.setattr("dlrun.engine.whole_epoch.CHUNK_SECONDS", 1e-9)
    heard = []

    def stop(event):
        if isinstance(event, StepDone):
            heard.append((event.epoch, event.step))
            if event.epoch == 2 and event.step > 8:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match=r"stopped after step 1[01] of epoch 2\n"):
        train(noisy("whole_epoch"), run_dir=outputs / "cut", on_event=stop)
    assert heard[-1][0] == 2
    assert heard[-1][1] < 12
    cut = RunDir(outputs / "cut")
    train(load_config(cut.config_file), resume=cut)
    assert cut.history() == other


@pytest.mark.parametrize("mode", [pytest.param("stepwise", marks=pytest.mark.slow), "whole_epoch"])
def test_only_training_sees_augmented_pictures(digits, outputs, mode):
    runs = []
    for augment in (None, VARIATIONS):
        data = {"name": "digits", "image": True, "augment": augment}
        keys = {"data": data, "training": {"epochs": 2, "batch_size": 300, "tensorboard": False}}
        still = {"name": "sgd", "learning_rate": 1e-30}  # which changes no weight, so that both models stay equal
        runs.append(train(digits(**in_mode(mode, optimizer=still, **keys)), outputs=outputs))
    plain, varied = (run.history() for run in runs)
    for one, other in zip(plain, varied, strict=True):
        assert one["loss"] != other["loss"]
        assert one["val_loss"] == other["val_loss"]
        assert one["val_accuracy"] == other["val_accuracy"]
    assert len({row["loss"] for row in varied}) == 2  # and each epoch sees others
    scored = [evaluate(load_config(run.config_file), run.model_file("best"), run=run, split="training") for run in runs]
    assert scored[0].outputs == scored[1].outputs
    predicted = [predict(run, load_config(run.config_file), split="training").rows for run in runs]
    assert predicted[0] == predicted[1]


def test_a_loss_that_is_not_a_number_ends_the_run_within_a_chunk(digits, outputs, monkeypatch):
    monkeypatch.setattr("dlrun.engine.recorder.REPORT_SECONDS", 0)
    training = {"epochs": 1, "batch_size": 10, "tensorboard": False}
    config = digits(**in_mode("whole_epoch", training=training, optimizer={"name": "sgd", "learning_rate": 1e30}))
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) in step 2 of epoch 1"):
        train(config, outputs=outputs)


def test_a_metric_of_many_values_is_told_in_both_modes(digits, outputs):
    for mode in MODES:
        keys = in_mode(mode, metrics=[{"F1Score": {}}], loss="categorical_crossentropy")
        with pytest.raises(ConfigError, match=r"f1_score is logged as 10 values(?s:.)*average: macro"):
            train(digits(**keys), outputs=outputs)
