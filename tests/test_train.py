import json
import math
import os
import signal
import time

import keras
import numpy as np
import pytest

from dlrun.cli._run_summary import end_rows
from dlrun.config.loading import load_config
from dlrun.engine import checkpointing
from dlrun.errors import ConfigError, DataError, DlrunError, Interrupted, RunDirError, TrainingError
from dlrun.evaluate import evaluate
from dlrun.events import DataReady, EpochDone, ModelReady, RunEnded, RunStarted, StepDone
from dlrun.predict import predict
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
    with pytest.raises(ConfigError, match=r"monitor\.metric is not a metric of this run"):
        train(digits(monitor="val_mse"), outputs=outputs)


def test_a_diverging_loss_fails_the_run_as_nan_and_keeps_what_was_good(digits, outputs):
    optimizer = {"name": "sgd", "learning_rate": 1e30}
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) in step \d+ of epoch 1"):
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_interrupted_before_training_begins_again_on_resume(digits, outputs, number):
    def stop(event):
        if isinstance(event, DataReady):
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted, match="goes on from its newest checkpoint, or its start") as caught:
        train(digits(), run_dir=outputs / "cut", on_event=stop)
    assert caught.value.exit_code == 130
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
    assert metrics["expect"][0]["met"] is True
    assert metrics["expect"][0]["measured"] == metrics["best"]["val_accuracy"]


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


def test_a_run_that_early_stopping_ended_does_not_train_on_when_resumed(digits, outputs, monkeypatch):
    keys = {**STATEFUL, "callbacks": [{"name": "EarlyStopping", "patience": 1, "monitor": "val_loss", "min_delta": 10}]}
    whole = train(digits(**keys), outputs=outputs)
    assert len(whole.history()) == 2

    def fail(*_arguments):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("dlrun.engine.execution.save_models", fail)
        with pytest.raises(TrainingError, match="the disk is full"):
            train(digits(**keys), run_dir=outputs / "cut")
    cut = RunDir(outputs / "cut")
    assert cut.record()["resumable"] is True
    train(load_config(cut.config_file), resume=cut)
    assert cut.history() == whole.history()


def test_an_interrupted_run_keeps_every_finished_epoch(digits, outputs):
    training = {**STATEFUL["training"], "checkpoint_every_seconds": 1000}
    with pytest.raises(Interrupted):
        train(digits(**{**STATEFUL, "training": training}), run_dir=outputs / "cut", on_event=_interrupt_after(4))
    assert checkpointing.read(outputs / "cut" / "checkpoint").epoch == 4


@pytest.mark.parametrize("execution", ["stepwise", "whole_epoch"])
def test_an_epoch_is_left_at_once_and_the_best_weights_before_it_are_kept(digits, outputs, monkeypatch, execution):
    monkeypatch.setattr("dlrun.engine.recorder.REPORT_SECONDS", 0)
    monkeypatch.setattr("dlrun.engine.whole_epoch.CHUNK_SECONDS", 1e-9)

    def stop(event):
        if isinstance(event, StepDone) and event.epoch == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)  # on a busy machine the signal may come later than the epoch's few steps take

    training = {"epochs": 5, "batch_size": 64, "tensorboard": False, "checkpoint_every_seconds": 1000}
    config = digits(training=training, runtime={"execution": execution, "jit_compile": False})
    with pytest.raises(Interrupted, match=r"stopped after step [0-9]+ of epoch 3"):
        train(config, run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    losses = [row["val_loss"] for row in cut.history()]
    assert len(losses) == 2
    found = evaluate(load_config(cut.config_file), cut.model_file("best"), run=cut, split="validation")
    best = cut.history()[losses.index(min(losses))]["val_accuracy"]
    assert found.score.values["accuracy"] == pytest.approx(best, abs=1e-6)
    train(load_config(cut.config_file), resume=cut)
    assert cut.history() == train(config, outputs=outputs).history()


def test_a_resumed_run_is_running_while_it_runs_and_forgets_its_interruption(digits, outputs):
    with pytest.raises(Interrupted):
        train(digits(**STATEFUL), run_dir=outputs / "cut", on_event=_interrupt_after(1))
    cut, seen = RunDir(outputs / "cut"), set()
    train(load_config(cut.config_file), resume=cut, on_event=lambda event: seen.add(cut.status()))
    assert "running" in seen
    assert cut.record()["process"]["pid"] == os.getpid()
    assert not {"resumable", "failure"} & set(cut.record())


def test_a_run_has_one_owner_at_a_time(digits, outputs):
    with pytest.raises(Interrupted):
        train(digits(**STATEFUL), run_dir=outputs / "cut", on_event=_interrupt_after(1))
    cut = RunDir(outputs / "cut")
    with cut.owned(new=False), pytest.raises(RunDirError, match="another process is working on the run"):
        train(load_config(cut.config_file), resume=cut)


def test_a_dead_process_that_was_claiming_leaves_the_directory_free(digits, outputs):
    (outputs / "mine").mkdir(parents=True)
    (outputs / "mine" / ".config.yaml.123.tmp").write_text("half")
    assert train(digits(), run_dir=outputs / "mine").status() == "completed"


def test_a_picture_that_cannot_be_drawn_does_not_fail_the_run(digits, outputs, monkeypatch):
    def fail(*_arguments, **_options):
        raise ValueError("no font")

    monkeypatch.setattr("dlrun.engine.recording.draw_curves", fail)
    events = []
    assert train(digits(), outputs=outputs, on_event=events.append).status() == "completed"
    assert "the plots could not be drawn: no font" in [getattr(event, "message", "") for event in events]


MODELS = {
    "sequential_without_input": "return keras.Sequential([keras.layers.Dense(10, activation='softmax')])",
    "softmax_operation": (
        "inputs = keras.Input(spec.input.shape)\n"
        "    return keras.Model(inputs, keras.ops.softmax(keras.layers.Dense(10)(inputs)))"
    ),
    "softmax_layer": "return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10), keras.layers.Softmax()])",
}


@pytest.mark.parametrize("name", MODELS)
def test_models_written_in_any_keras_style_train(digits, outputs, tmp_path, name):
    plugin = tmp_path / "mine.py"
    plugin.write_text(f"import keras, dlrun\n@dlrun.model('{name}')\ndef build(spec):\n    {MODELS[name]}\n")
    assert train(digits(plugins=[str(plugin)], model=name), outputs=outputs).status() == "completed"


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("model", "raise ValueError('no good')", r"the model 'broken' failed: ValueError: no good"),
        ("model", "return 5", r"the builder 'broken' returned int"),
        ("dataset", "raise KeyError('gone')", r"the dataset 'broken' failed: KeyError: 'gone'"),
        ("routine", "raise RuntimeError('oops')", r"training failed: RuntimeError: oops"),
        ("routine", "return None", r"the routine 'broken' returned NoneType"),
    ],
)
def test_a_failing_plugin_is_one_clear_error(digits, outputs, tmp_path, kind, body, message):
    plugin = tmp_path / "mine.py"
    plugin.write_text(f"import dlrun\n@dlrun.{kind}('broken')\ndef broken(given):\n    {body}\n")
    section = {"dataset": "data"}.get(kind, kind)
    with pytest.raises(DlrunError, match=message):
        train(digits(plugins=[str(plugin)], **{section: "broken"}), outputs=outputs)


def test_two_plugins_of_one_name_both_travel(digits, outputs, tmp_path):
    for folder, name in (("a", "first_of_two"), ("b", "second_of_two")):
        (tmp_path / folder).mkdir()
        code = "return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation='softmax')])"
        text = f"import keras, dlrun\n@dlrun.model('{name}')\ndef build(spec):\n    {code}\n"
        (tmp_path / folder / "mine.py").write_text(text)
    plugins = [str(tmp_path / folder / "mine.py") for folder in "ab"]
    run = train(digits(plugins=plugins, model="first_of_two"), outputs=outputs)
    assert train(load_config(run.config_file), outputs=outputs).history() == run.history()


def test_logits_are_turned_into_probabilities_for_scores_and_predictions(digits, outputs):
    model = {"name": "layers", "layers": [{"Dense": {"units": 10}}], "head": False}
    loss = {"SparseCategoricalCrossentropy": {"from_logits": True}}
    run = train(digits(model=model, loss=loss), outputs=outputs)
    rows = predict(run, load_config(run.config_file)).rows
    assert all(0.1 <= row["probability"] <= 1 for row in rows)
    with pytest.raises(ConfigError, match="activation is softmax, and the loss says from_logits"):
        train(digits(loss=loss), outputs=outputs)


def test_results_of_scaled_targets_are_also_given_in_original_units(digits, outputs, tmp_path):
    rows = "\n".join(f"{n % 17},{1000 * (n % 17) + n % 3}" for n in range(200))
    (tmp_path / "t.csv").write_text("x,price\n" + rows + "\n")
    data = {"name": "csv", "path": str(tmp_path / "t.csv"), "target": "price"}
    expect = {"metric": "val_mae", "value": 4000, "tolerance": 3999}
    run = train(digits(data=data, expect=expect), outputs=outputs)
    metrics = run.metrics()
    assert metrics["best"]["val_mae"] < 2
    assert metrics["best_original"]["val_mae"] > 100
    assert metrics["expect"][0]["met"] is True
    score = evaluate(load_config(run.config_file), run.model_file("best"), run=run, split="validation").score
    assert score.values["mae"] == pytest.approx(metrics["best_original"]["val_mae"], rel=1e-4)


def test_errors_of_a_series_and_its_naive_forecast_are_told_in_its_unit(digits, outputs, tmp_path):
    heat = [20 * math.sin(n / 9) for n in range(200)]
    (tmp_path / "s.csv").write_text("T (degC),p\n" + "".join(f"{value},{n % 7}\n" for n, value in enumerate(heat)))
    data = {"name": "timeseries_csv", "path": str(tmp_path / "s.csv"), "target": "T (degC)", "lookback": 6, "delay": 4}
    model = {"name": "layers", "layers": ["Flatten"]}
    run = train(digits(data={**data, "step": 2}, model=model), outputs=outputs)
    metrics = run.metrics()
    assert metrics["units"] == {"mae": "degC", "val_mae": "degC"}
    ends = range(120, 156)  # of the windows of validation, the last position of which lies 2 before their end
    naive = sum(abs(heat[end + 4] - heat[end - 2]) for end in ends) / len(ends)
    assert metrics["baselines_original"]["mae"] == pytest.approx(naive, rel=1e-5)
    assert f"baseline {naive:.4f}" in dict(end_rows(run, metrics))["val_mae in degC"]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"loss": "categorical_crossentropy"}, {"accuracy"}),
        ({"loss": "mse"}, {"accuracy"}),
        ({"metrics": ["accuracy", {"AUC": {}}, {"F1Score": {"average": "macro"}}]}, {"accuracy", "auc", "f1_score"}),
        ({"loss": {"Huber": {"delta": 2.0}}, "metrics": ["mae"]}, {"mae"}),
    ],
)
def test_classes_are_given_as_rows_to_the_losses_and_metrics_that_want_them(digits, outputs, keys, names):
    run = train(digits(**keys), outputs=outputs)
    assert names <= set(run.history()[0])
    assert run.history()[-1]["loss"] < run.history()[0]["loss"]
    found = evaluate(load_config(run.config_file), run.model_file("best"), run=run, split="validation")
    if "accuracy" in names:
        best = run.metrics()["best"]["val_accuracy"]
        assert found.score.values["accuracy"] == pytest.approx(best, abs=1e-6)


def test_the_same_loss_in_both_forms_learns_the_same(digits, outputs):
    forms = ("sparse_categorical_crossentropy", "categorical_crossentropy")
    sparse, rows = (train(digits(loss=loss), outputs=outputs).history() for loss in forms)
    for one, other in zip(sparse, rows, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_a_callback_that_watches_an_unlogged_metric_is_refused(digits, outputs):
    with pytest.raises(ConfigError, match="val_mae is not logged"):
        train(digits(callbacks=[{"name": "EarlyStopping", "monitor": "val_mae", "mode": "min"}]), outputs=outputs)


def test_a_plugin_that_exits_does_not_end_the_program(digits, outputs, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("import sys, dlrun\n@dlrun.model('leaver')\ndef leaver(spec):\n    sys.exit(0)\n")
    with pytest.raises(ConfigError, match="the model 'leaver' failed: SystemExit: 0"):
        train(digits(plugins=[str(plugin)], model="leaver"), outputs=outputs)


def test_what_a_plugin_prints_goes_to_stderr(digits, outputs, tmp_path, capsys):
    plugin = tmp_path / "mine.py"
    code = "return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation='softmax')])"
    body = f"    print('hello')\n    {code}\n"
    plugin.write_text(f"import keras, dlrun\n@dlrun.model('talker')\ndef talker(spec):\n{body}")
    train(digits(plugins=[str(plugin)], model="talker"), outputs=outputs)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


def test_progress_that_nobody_reads_does_not_stop_the_run(digits, outputs):
    def closed(_event):
        raise BrokenPipeError

    assert train(digits(), outputs=outputs, on_event=closed).status() == "completed"


def test_a_full_disk_fails_the_run_with_one_clear_error(digits, outputs, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dlrun.engine.checkpointing.save", full)
    with pytest.raises((RunDirError, TrainingError), match="No space left on device"):
        train(digits(), outputs=outputs)
    (run,) = list_runs(outputs)
    assert run.status() == "failed"


def test_metrics_with_made_up_names_are_logged_under_them_every_time(digits, outputs):
    keys = {"metrics": [{"MeanIoU": {"num_classes": 10}}, "accuracy"], "loss": "categorical_crossentropy"}
    for _ in range(2):
        run = train(digits(**keys, monitor="val_mean_io_u"), outputs=outputs)
        assert run.metrics()["mode"] == "max"
        assert "val_mean_io_u" in run.history()[0]


def test_the_best_model_has_the_optimizer_of_its_own_epoch(digits, outputs):
    training = {"epochs": 4, "batch_size": 128, "tensorboard": False, "checkpoint_every_seconds": 600}
    run = train(digits(training=training, monitor={"metric": "val_loss", "mode": "max"}), outputs=outputs)
    assert run.metrics()["best_epoch"] == 1
    steps = math.ceil(run.record()["split"]["training"] / 128)
    assert int(keras.saving.load_model(run.model_file("best")).optimizer.iterations.numpy()) == steps
    assert int(keras.saving.load_model(run.model_file("last")).optimizer.iterations.numpy()) == 4 * steps
