import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dlrun.config.loading import load_config
from dlrun.engine.scalars import ScalarLog
from dlrun.errors import Interrupted
from dlrun.events import EpochDone
from dlrun.run_dir import RunDir
from dlrun.train import train


def read_scalars(folder):
    """`{tag: {step: value}}` as TensorBoard reads them, those that Keras writes as tensors included."""
    found = EventAccumulator(str(folder)).Reload()
    scalars = {tag: {e.step: e.value for e in found.Scalars(tag)} for tag in found.Tags()["scalars"]}
    tensors = {
        tag: {e.step: tf.make_ndarray(e.tensor_proto) for e in found.Tensors(tag)} for tag in found.Tags()["tensors"]
    }
    return scalars | {
        tag: {step: float(v) for step, v in by.items()} for tag, by in tensors.items() if tag[:5] == "epoch"
    }


def test_tags_and_values_are_those_of_the_callback_of_keras(digits, outputs):
    training = {"epochs": 2, "batch_size": 500}
    own = train(digits(training=training), outputs=outputs)
    of_keras = train(digits(training=training, callbacks=[{"name": "TensorBoard"}]), outputs=outputs)
    assert load_config(of_keras.config_file).runtime.execution == "whole_epoch"
    for part in ("train", "validation"):
        found, wanted = (read_scalars(run.tensorboard / part) for run in (own, of_keras))
        assert {"epoch_loss", "epoch_accuracy"} <= wanted.keys()
        assert found.keys() == wanted.keys()
        for tag, values in wanted.items():
            assert found[tag] == pytest.approx(values), tag


def test_a_resumed_run_adds_its_own_epochs_only(digits, outputs):
    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 2:
            raise Interrupted("stopped", resumable=True)

    training = {"epochs": 4, "batch_size": 500, "checkpoint_every_seconds": 0}
    with pytest.raises(Interrupted):
        train(digits(training=training), run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    before = len(cut.history())
    train(load_config(cut.config_file), resume=cut)
    losses = read_scalars(cut.tensorboard / "validation")["epoch_loss"]
    assert 0 < before < 4
    assert losses == pytest.approx({epoch: row["val_loss"] for epoch, row in enumerate(cut.history())})


def test_rows_are_written_once_and_each_to_its_part(tmp_path):
    log = ScalarLog(tmp_path)
    history = [{"loss": 2.0, "val_loss": 3.0}, {"loss": 1.0}]
    log.write(history[:1])
    log.write(history)
    log.close()
    found = EventAccumulator(str(tmp_path / "train")).Reload()
    assert [(event.step, event.value) for event in found.Scalars("epoch_loss")] == [(0, 2.0), (1, 1.0)]
    assert read_scalars(tmp_path / "validation") == {"epoch_loss": {0: 3.0}}
