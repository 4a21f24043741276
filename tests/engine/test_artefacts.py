"""Files and columns that a routine makes while it trains."""

import pytest

from dlrun.config.loading import load_config
from dlrun.engine.artefacts import Artefact, list_artefacts
from dlrun.errors import Interrupted
from dlrun.events import EpochDone
from dlrun.run_dir import RunDir
from dlrun.train import train

PLUGIN = '''
import keras

import dlrun
from dlrun.engine.artefacts import Artefact, ArtefactWriter, EpochMeasures
from dlrun.engine.execution import train_model
from dlrun.files import write_text


class Copier(keras.Model):
    """Learns to give its inputs back."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(x - y_pred))


@dlrun.routine("copies")
def copies(experiment):
    """Writes a text every second epoch and measures a bias."""
    experiment.data = experiment.data.without_targets()
    inputs = keras.Input((64,))
    model = Copier(inputs, keras.layers.Dense(64)(inputs))
    model.compile("sgd")
    model.optimizer.build(model.trainable_variables)

    def bias(epoch):
        return {"bias": float(abs(model.layers[-1].bias.numpy()).sum())}

    def write(epoch, folder):
        file = folder / f"bias-{epoch}.txt"
        write_text(file, str(bias(epoch)))
        return [Artefact(file, "bias")]

    experiment.callbacks += [EpochMeasures(bias), ArtefactWriter(experiment.run, write, every_epochs=2)]
    return train_model(model, experiment, monitor=("val_loss", "min"))
'''


@pytest.fixture
def config(tmp_path, digits):
    (tmp_path / "copies.py").write_text(PLUGIN)
    training = {"epochs": 5, "batch_size": 256, "tensorboard": False, "checkpoint_every_seconds": 0}
    return digits(plugins=[str(tmp_path / "copies.py")], routine="copies", training=training)


@pytest.fixture
def whole(config, outputs):
    return train(config, outputs=outputs)


def test_files_are_written_every_so_many_epochs_and_after_the_last_one(whole):
    found = [(one["file"], one["what"], one["epoch"]) for one in whole.record()["artefacts"]]
    assert found == [(f"artefacts/bias-{epoch}.txt", "bias", epoch) for epoch in (2, 4, 5)]
    assert all((whole.path / file).is_file() for file, *_ in found)


def test_neither_files_nor_columns_keep_a_run_from_whole_epochs(whole):
    assert load_config(whole.config_file).runtime.execution == "whole_epoch"
    assert set(whole.history()[0]) == {"loss", "bias", "val_loss", "learning_rate"}
    assert (whole.artefacts / "bias-5.txt").read_text() == str({"bias": whole.history()[-1]["bias"]})


def test_a_resumed_run_writes_the_same_files_again_and_names_each_once(config, whole, outputs):
    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 3:
            raise Interrupted("stopped", resumable=True)

    with pytest.raises(Interrupted):
        train(config, run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    list_artefacts(cut, [Artefact(cut.artefacts / "bias-4.txt", "bias")], epoch=4)  # of an epoch that a kill has lost
    train(load_config(cut.config_file), resume=cut)
    assert cut.record()["artefacts"] == whole.record()["artefacts"]
    for one in whole.record()["artefacts"]:
        assert (cut.path / one["file"]).read_bytes() == (whole.path / one["file"]).read_bytes()
    assert cut.history_file.read_bytes() == whole.history_file.read_bytes()


def test_files_of_no_epoch_stand_last_and_once(whole):
    last = Artefact(whole.artefacts / "summary.txt", "summary")
    for _ in range(2):
        list_artefacts(whole, [last])
    list_artefacts(whole, [Artefact(whole.artefacts / "bias-6.txt", "bias")], epoch=6)
    assert [one["epoch"] for one in whole.record()["artefacts"]] == [2, 4, 5, 6, None]
