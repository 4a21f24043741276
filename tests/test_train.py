import json
import os
import signal

import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.engine import checkpointing
from dlrun.errors import ConfigError, DataError, Interrupted, TrainingError
from dlrun.events import DataReady, EpochDone, ModelReady, RunEnded, RunStarted
from dlrun.run_dir import RunDir, list_runs
from dlrun.train import train


def test_a_finished_run_holds_everything_the_design_names(digits_run):
    expected = {"config.yaml", "run.json", "history.csv", "timing.csv", "metrics.json", "best.keras", "last.keras"}
    assert expected | {"preprocess", "checkpoint", "plots", "log.txt"} <= {p.name for p in digits_run.path.iterdir()}
    assert digits_run.status() == "completed"
    record = digits_run.record()
    assert record["format"] == 1
    assert record["versions"]["keras"]
    assert record["split"] == {"kind": "stratified", "training": 1150, "validation": 288, "test": 359}
    assert record["builders"]["model"].endswith("mlp.py")


def test_metrics_tell_the_best_epoch_and_the_baseline(digits_run):
    metrics, history = digits_run.metrics(), digits_run.history()
    losses = [row["val_loss"] for row in history]
    assert metrics["best_epoch"] == losses.index(min(losses)) + 1
    assert metrics["best"]["val_loss"] == min(losses)
    assert 0.09 < metrics["baselines"]["val_accuracy"] < 0.12
    assert metrics["parameters"] == 64 * 16 + 16 + 16 * 10 + 10


def test_the_saved_config_repeats_the_run(digits_run, outputs):
    config = load_config(digits_run.config_file)
    assert config.loss == "sparse_categorical_crossentropy"
    assert config.monitor.metric == "val_loss"
    again = train(config, outputs=outputs)
    assert again.history() == digits_run.history()
    assert again.config_file.read_text() == digits_run.config_file.read_text()


def test_events_come_in_order(digits, outputs):
    events = []
    train(digits(), outputs=outputs, on_event=events.append)
    kinds = [type(event) for event in events if type(event).__name__ not in ("StepDone", "Note")]
    assert kinds == [RunStarted, DataReady, ModelReady, *[EpochDone] * 3, RunEnded]


def test_without_validation_the_last_epoch_is_the_best(digits, outputs):
    run = train(digits(split={"validation": 0}), outputs=outputs)
    metrics = run.metrics()
    assert metrics["validated"] is False
    assert metrics["best_epoch"] == metrics["epochs"] == 3
    assert run.model_file("best").read_bytes()[:4] == b"PK\x03\x04"


def test_a_loss_that_does_not_fit_is_refused_with_the_table(digits, outputs):
    with pytest.raises(ConfigError, match="does not fit the data: there are 10 classes") as caught:
        train(digits(loss="binary_crossentropy"), outputs=outputs)
    assert "DLwP table 4-1" in str(caught.value)
    (run,) = list_runs(outputs)
    assert run.status() == "failed"
    assert run.record()["failure"]["kind"] == "config"


def test_an_unlogged_monitor_is_refused_before_training(digits, outputs):
    with pytest.raises(ConfigError, match="val_mse is not a metric of this run"):
        train(digits(monitor="val_mse"), outputs=outputs)


def test_a_diverging_loss_fails_the_run_as_nan_and_keeps_what_was_good(digits, outputs):
    optimizer = {"name": "sgd", "learning_rate": 1e30}
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) in epoch 1"):
        train(digits(optimizer=optimizer), outputs=outputs)
    (run,) = list_runs(outputs)
    assert run.record()["failure"]["kind"] == "nan"
    assert not run.metrics_file.exists()


def test_a_layer_that_cannot_follow_is_told_in_the_words_of_the_config(tmp_path, outputs):
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "data: digits\nmodel:\n  name: layers\n  layers:\n    - Dense: {units: 8}\n    - LSTM: {units: 4}\n"
    )
    with pytest.raises(ConfigError) as caught:
        train(load_config(path), outputs=outputs)
    message = str(caught.value)
    assert f"{path}:6:" in message
    assert "layer 2, LSTM(units=4), cannot follow" in message
    assert "an input of shape (batch, 8)" in message
    assert "a Reshape before it can add one" in message


def test_missing_data_fails_the_run_and_says_where_it_was_looked_for(digits, outputs, tmp_path, monkeypatch):
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        train(digits(data={"name": "csv", "path": "nowhere.csv", "target": "y"}), outputs=outputs)
    (run,) = list_runs(outputs)
    assert run.record()["failure"]["kind"] == "data"


STATEFUL = {
    "model": {
        "name": "layers",
        "layers": [{"Dense": {"units": 16}}, "BatchNormalization", {"Dropout": {"rate": 0.5}}],
    },
    "training": {"epochs": 6, "batch_size": 128, "tensorboard": False, "checkpoint_every_seconds": 0},
    "callbacks": [
        {"name": "EarlyStopping", "patience": 4, "restore_best_weights": True},
        {"name": "ReduceLROnPlateau", "patience": 1, "factor": 0.5},
    ],
}


def _interrupt_after(epoch):
    def listen(event):
        if isinstance(event, EpochDone) and event.epoch == epoch:
            os.kill(os.getpid(), signal.SIGINT)

    return listen


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(digits, outputs, epoch):
    whole = train(digits(**STATEFUL), outputs=outputs)
    with pytest.raises(Interrupted) as caught:
        train(digits(**STATEFUL), run_dir=outputs / "cut", on_event=_interrupt_after(epoch))
    assert caught.value.exit_code == 75
    cut = RunDir(outputs / "cut")
    assert cut.status() == "interrupted"
    assert len(cut.history()) == epoch
    train(load_config(cut.config_file), resume=cut)
    assert cut.history() == whole.history()
    ends = [checkpointing.read(run.checkpoint) for run in (whole, cut)]
    assert ends[0].arrays.keys() == ends[1].arrays.keys()
    for name, array in ends[0].arrays.items():
        np.testing.assert_array_equal(array, ends[1].arrays[name], err_msg=name)
    assert json.dumps(ends[0].state["callbacks"]) == json.dumps(ends[1].state["callbacks"])


def test_a_run_interrupted_before_its_first_epoch_begins_again_on_resume(digits, outputs):
    def stop(event):
        if isinstance(event, ModelReady):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(digits(), run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    assert cut.status() == "interrupted"
    assert cut.record()["resumable"] is False
    train(load_config(cut.config_file), resume=cut)
    assert cut.history() == train(digits(), outputs=outputs).history()


def test_a_plugin_travels_with_the_run(digits, outputs, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import keras, dlrun\n"
        "from dlrun.models._heads import output\n"
        "@dlrun.model('travelling')\n"
        "def travelling(spec, *, units: int = 4):\n"
        '    """A net."""\n'
        "    inputs = keras.Input(spec.input.shape)\n"
        "    return keras.Model(inputs, output(spec, keras.layers.Dense(units)(inputs)))\n"
    )
    run = train(digits(plugins=[str(plugin)], model="travelling"), outputs=outputs)
    plugin.unlink()
    again = train(load_config(run.config_file), outputs=outputs)
    assert again.history() == run.history()


def test_class_weights_change_the_result_and_balanced_is_accepted(digits, outputs):
    plain = train(digits(), outputs=outputs)
    weighted = train(
        digits(training={**STATEFUL["training"], "epochs": 3, "class_weight": {"0": 50.0}}), outputs=outputs
    )
    assert weighted.history()[-1]["loss"] != plain.history()[-1]["loss"]
    train(digits(training={"epochs": 1, "class_weight": "balanced", "tensorboard": False}), outputs=outputs)


def test_tensorboard_files_are_written_by_default(digits, outputs):
    run = train(digits(training={"epochs": 1}), outputs=outputs)
    assert list(run.tensorboard.glob("*/events.out.tfevents.*"))


def test_the_expected_result_is_compared(digits, outputs):
    expect = {"metric": "val_accuracy", "value": 0.5, "tolerance": 0.5, "source": "a guess"}
    metrics = train(digits(expect=expect), outputs=outputs).metrics()
    assert metrics["expect"]["met"] is True
    assert metrics["expect"]["measured"] == metrics["best"]["val_accuracy"]


def test_the_saved_config_finds_the_data_without_the_environment(digits, outputs, tmp_path, monkeypatch):
    (tmp_path / "files").mkdir()
    rows = "\n".join(f"{n % 7},{n % 2}" for n in range(60))
    (tmp_path / "files" / "table.csv").write_text("x,y\n" + rows + "\n")
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "files"))
    run = train(digits(data={"name": "csv", "path": "table.csv", "target": "y"}), outputs=outputs)
    monkeypatch.delenv("DLRUN_DATA")
    config = load_config(run.config_file)
    assert config.data.dir == tmp_path / "files"
    assert train(config, outputs=outputs).history() == run.history()
