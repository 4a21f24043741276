import os
import signal

import pytest

from dlrun.catalogue import items_of, names_of
from dlrun.config.identity import experiment_values
from dlrun.config.loading import load_config
from dlrun.errors import ConfigError, Interrupted
from dlrun.events import EpochDone
from dlrun.run_dir import RunDir
from dlrun.studies.retrain import plan
from dlrun.train import train

PLUGIN = '''
import keras

import dlrun


@dlrun.callback("halve")
class Halve(keras.callbacks.Callback):
    """Halves the learning rate after so many epochs, again and again."""

    def __init__(self, experiment, *, epochs: int = 2, monitor: str | None = None):
        super().__init__()
        self.epochs, self.monitor, self.seen = epochs, monitor, 0
        self.file = experiment.run.artefacts

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        if self.seen % self.epochs == 0:
            self.model.optimizer.learning_rate.assign(self.model.optimizer.learning_rate / 2)
        self.file.mkdir(exist_ok=True)
        (self.file / "seen.txt").write_text(f"{self.seen} {self.monitor} {logs[self.monitor] > 0}")

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]
'''


@pytest.fixture
def config_file(tmp_path):
    """Writes a config with a plugin; arguments replace its callbacks or its plugin."""

    def write(callbacks="[{name: halve}]", plugin=PLUGIN):
        (tmp_path / "mine.py").write_text(plugin)
        path = tmp_path / "mine.yaml"
        path.write_text(
            "plugins: [mine.py]\ndata: digits\nmodel: {name: mlp, hidden: [16]}\n"
            "training: {epochs: 4, batch_size: 128, tensorboard: false, checkpoint_every_seconds: 0}\n"
            f"runtime: {{jit_compile: false}}\nmonitor: val_accuracy\ncallbacks: {callbacks}\n"
        )
        return path

    return write


def test_a_stated_mode_beats_that_of_the_monitor(digits, outputs):
    stops = {"name": "EarlyStopping", "mode": "max", "patience": 1}  # of a loss that falls
    assert len(train(digits(callbacks=[stops], monitor="val_loss"), outputs=outputs).history()) == 2


def test_a_callback_of_a_plugin_acts_and_gets_the_monitor_of_the_config(config_file, outputs):
    run = train(load_config(config_file()), outputs=outputs)
    assert [row["learning_rate"] for row in run.history()] == pytest.approx([1e-3, 5e-4, 5e-4, 2.5e-4])
    assert (run.artefacts / "seen.txt").read_text() == "4 val_accuracy True"
    assert run.record()["builders"]["callbacks.halve"].endswith("mine.py")


def test_a_run_with_a_callback_of_a_plugin_goes_on_as_if_never_stopped(config_file, outputs, monkeypatch):
    config = load_config(config_file("[{name: halve, epochs: 3}]"))
    whole = train(config, outputs=outputs)

    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(config, run_dir=outputs / "stopped", on_event=stop)
    run = RunDir(outputs / "stopped")
    train(load_config(run.config_file), resume=run)
    assert run.history() == whole.history()
    assert (run.artefacts / "seen.txt").read_text().startswith("4 ")


def test_retraining_leaves_out_what_watches_validation(config_file, digits_run):
    config = load_config(config_file("[{name: halve}, {name: halve, monitor: loss}, activation_logger]"))
    planned, notes = plan(digits_run, config, epochs=2)
    assert [one.parameters.get("monitor") for one in planned.callbacks] == ["loss", None]
    assert "without halve: there is no validation part to watch" in notes


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (
            "[{name: halve, epoch: 2}]",
            r"mine.yaml:7:27: callbacks\[0\].epoch is not an argument of the callback `halve`",
        ),
        ("[{name: halve, epochs: two}]", r"callbacks\[0\].epochs is not an integer"),
        ("[{name: halv}]", "there is no callback named 'halv'(.|\n)*did you mean halve?"),
        ("[{name: halve, experiment: 2}]", r"callbacks\[0\].experiment is supplied by dlrun"),
    ],
)
def test_a_mistake_in_a_callback_of_a_plugin_is_found_without_running_it(config_file, callbacks, message):
    path = config_file(callbacks, PLUGIN + "\nraise RuntimeError('ran')\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_callback_cannot_have_the_name_of_one_of_keras(config_file):
    path = config_file("[EarlyStopping]", PLUGIN.replace('"halve"', '"EarlyStopping"'))
    with pytest.raises(ConfigError, match="Keras has a callback 'EarlyStopping'"):
        load_config(path)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise OSError('no disk')", "the callback 'broken' failed: OSError: no disk(.|\n)*mine.py:7"),
        ("return 3", "the callback 'broken' is a int"),
    ],
)
def test_a_callback_that_cannot_be_made_is_told_with_its_place(config_file, outputs, code, message):
    plugin = f'import dlrun\n\n\n@dlrun.callback("broken")\ndef broken(experiment):\n    """Fails."""\n    {code}\n'
    with pytest.raises(ConfigError, match=message):
        train(load_config(config_file("[broken]", plugin)), outputs=outputs)


def test_own_callbacks_are_listed_beside_those_of_keras():
    names = names_of("callbacks")
    assert {"activation_logger", "EarlyStopping"} <= set(names)
    assert [item.name for item in items_of("callbacks")] == names
    (item,) = items_of("callbacks", "activation_logger")
    assert item.parameters == {"layers": "null", "rows": "1", "every_epochs": "1"}


def test_a_callback_that_only_logs_makes_no_other_experiment():
    values = {"name": "digits", "training": {}, "callbacks": [{"name": "EarlyStopping"}]}
    logging = [*values["callbacks"], {"name": "activation_logger", "rows": 2}]
    assert experiment_values({**values, "callbacks": logging}) == experiment_values(values)


def test_words_of_embeddings_are_not_to_be_given(digits, outputs):
    config = digits(callbacks=[{"name": "TensorBoard", "embeddings_freq": 1, "embeddings_metadata": "words.tsv"}])
    with pytest.raises(ConfigError, match="dlrun writes the words of embeddings itself"):
        train(config, outputs=outputs)
