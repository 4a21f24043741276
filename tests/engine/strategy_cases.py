"""What holds with two devices, which must be made before the backend begins: `test_strategy.py` runs this file in
processes of its own, on either backend.
"""

import keras
import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping, load_config
from dlrun.engine import checkpointing, recorder
from dlrun.engine.model_files import load_model
from dlrun.errors import ConfigError, Interrupted
from dlrun.evaluate import evaluate
from dlrun.events import Note
from dlrun.predict import predict
from dlrun.run_dir import RunDir
from dlrun.train import train

ON_JAX = keras.backend.backend() == "jax"
STRATEGY = "data_parallel" if ON_JAX else "mirrored"

if not ON_JAX:
    import tensorflow as tf

    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)


def configured(strategy=STRATEGY, *, rows=300, validation=100, **keys):
    """A small config of three steps an epoch, the last one with a partial batch; keyword arguments replace keys."""
    runtime = {"backend": keras.backend.backend(), "device": "cpu", "execution": "stepwise", "strategy": strategy}
    defaults = {
        "name": "s",
        "data": "digits",
        "split": {"training": rows, "validation": validation},
        "model": {"name": "mlp", "hidden": [8]},
        "training": {"epochs": 2, "batch_size": 128, "tensorboard": False, "class_weight": "balanced"},
        "metrics": ["accuracy", {"AUC": {}}],
        "loss": "categorical_crossentropy",
        "runtime": {**runtime, "threads": 2, "jit_compile": ON_JAX},
    }
    return config_from_mapping({**defaults, **keys})


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A run of two devices with random layers, and what it told."""
    told = []
    model = {"name": "mlp", "hidden": [8], "dropout": 0.5, "batch_normalization": True}
    config = configured(model=model, rows=301, validation=101)
    run = train(config, run_dir=tmp_path_factory.mktemp("shared") / "run", on_event=told.append)
    return run, [event.message for event in told if isinstance(event, Note)]


def test_two_devices_give_the_run_of_one(outputs):
    one = train(configured("none"), run_dir=outputs / "one")
    two = train(configured(), run_dir=outputs / "two")
    assert (one.record()["device"], two.record()["device"]) == ("CPU", "2 x CPU")
    for alone, shared in zip(one.history(), two.history(), strict=True):
        assert shared == pytest.approx(alone, rel=1e-5)
    before, after = (load_model(run.model_file("last")).get_weights() for run in (one, two))
    for alone, shared in zip(before, after, strict=True):
        np.testing.assert_allclose(shared, alone, atol=1e-5)


def test_a_run_stopped_inside_an_epoch_equals_an_uninterrupted_one_bit_by_bit(shared, outputs, monkeypatch):
    whole, _ = shared
    config, run = load_config(whole.config_file), RunDir(outputs / "cut")
    on_batch_end = recorder.RunRecorder.on_train_batch_end

    def stopped(self, batch, logs=None):
        self.stop_asked = lambda: self.progress.epochs == 1 and batch == 1
        on_batch_end(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(recorder.RunRecorder, "on_train_batch_end", stopped)
        with pytest.raises(Interrupted, match="after step 2 of epoch 2"):
            train(config, run_dir=run.path)
    train(load_config(run.config_file), resume=run)
    assert run.history() == whole.history()
    ends = [checkpointing.read(one.checkpoint).arrays for one in (run, whole)]
    assert ends[0].keys() == ends[1].keys()
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
    assert "resume" not in run.record()


def test_rows_that_cannot_be_shared_equally_are_told(shared):
    _, notes = shared
    left = [note.partition("leaves out ")[2] for note in notes if "equal shares" in note]
    assert left == ["1 of the 301 training rows", "1 of the 101 validation rows"]


def test_what_is_left_behind_works_on_one_device(shared):
    run, _ = shared
    config = load_config(run.config_file)
    score = evaluate(config, run.model_file("last"), run=run, split="validation").score
    assert score.rows == 101
    assert score.values["accuracy"] == pytest.approx(run.history()[-1]["val_accuracy"], abs=0.01)
    assert len(predict(run, config, split="validation").rows) == 101


def test_a_batch_that_cannot_be_shared_equally_is_refused(outputs):
    with pytest.raises(ConfigError, match=r"batch_size is 101, and 2 devices(.|\n)*batch_size=102"):
        train(configured(training={"batch_size": 101}), outputs=outputs)
    assert not outputs.exists()
