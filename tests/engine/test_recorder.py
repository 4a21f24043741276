import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.engine import checkpointing, recorder
from dlrun.engine.recorder import LONG_EPOCH_SECONDS, WRITING_SHARE, RecordingPlan, RunRecorder
from dlrun.events import ignore
from dlrun.run_dir import RunDir
from dlrun.train import train


class Clock:
    """Stands in for `time`; moves only when told."""

    now = 1000.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Makes a recorder go through epochs of given seconds, as writing is; returns the epochs written."""

    def run_epochs(epochs, epoch_seconds, writing_seconds, every_seconds, *, steps=1, every_steps=None):
        clock, written = Clock(), []
        monkeypatch.setattr(recorder, "time", clock)

        def save(checkpoint, good):
            written.append((checkpoint.epoch, checkpoint.step))
            clock.now += writing_seconds

        monkeypatch.setattr(recorder.checkpointing, "save", save)
        monkeypatch.setattr(recorder, "save_models", lambda *_arguments: None)
        monkeypatch.setattr(recorder, "tell_inexact_resume", lambda *_arguments, **_options: None)
        run = RunDir.create(tmp_path / "outputs", "paced")
        plan = RecordingPlan(run, "loss", "min", False, {}, every_seconds, every_steps, False)
        made = RunRecorder(plan, [], ignore, stop_asked=lambda: False, checkpoint=None)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        made.set_model(model)
        made.set_params({"epochs": epochs})
        made.on_train_begin()
        began = clock.now
        for epoch in range(epochs):
            made.on_epoch_begin(epoch)
            for step in range(1, steps + 1):
                clock.now += epoch_seconds / steps
                made.on_train_batch_end(step - 1, {"loss": 1.0})
            made.on_epoch_end(epoch, {"loss": 1.0})
        return written, clock.now - began

    return run_epochs


def test_fast_epochs_are_written_once_a_second(record):
    written, seconds = record(300, 0.01, 0.001, 1.0)
    assert written[0] == (1, 0)
    assert len(written) == pytest.approx(seconds, abs=1.5)


def test_writing_takes_a_twentieth_of_the_time_at_most(record):
    written, seconds = record(2000, 0.01, 0.5, 0.0)
    assert 0.5 * (len(written) - 1) <= WRITING_SHARE * seconds
    assert len(written) > 1


def test_history_is_on_disk_more_often_than_slow_checkpoints(record, monkeypatch):
    rows = []
    monkeypatch.setattr(RunDir, "write_history", lambda _run, history, _seconds: rows.append(len(history)))
    written, _ = record(60, 1.0, 1.0, 1.0)
    assert len(written) < 6
    assert sorted({*rows}) == [*range(1, 61)]


def test_long_epochs_are_all_written(record):
    assert record(5, 30.0, 0.5, 1.0)[0] == [(epoch, 0) for epoch in range(1, 6)]


def test_inside_an_epoch_of_minutes_one_is_written_each_minute(record):
    written, _ = record(2, 200.0, 1.0, 1.0, steps=200)
    assert LONG_EPOCH_SECONDS == 60
    assert written == [(0, 60), (0, 120), (0, 180), (1, 0), (1, 60), (1, 120), (1, 180), (2, 0)]


def test_one_is_written_every_so_many_steps_of_an_epoch_if_asked_for(record):
    written, _ = record(2, 1.0, 0.0, 1000.0, steps=7, every_steps=3)
    assert written == [(0, 3), (0, 6), (1, 3), (1, 6), (2, 0)]


@pytest.mark.slow
def test_a_killed_run_has_lost_about_a_second_and_goes_on_exactly(digits, outputs, tmp_path):
    training = {"epochs": 300, "batch_size": 64}
    config = digits(training=training, runtime={"execution": "whole_epoch", "jit_compile": False})
    (tmp_path / "fast.yaml").write_text(dump_config(config))
    command = [sys.executable, "-m", "dlrun", "train", str(tmp_path / "fast.yaml"), "--run-dir", str(outputs / "cut")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cut = RunDir(outputs / "cut")
    while process.poll() is None and not any(
        int(one.name[:6]) > 40 for one in checkpointing.generations(cut.checkpoint)
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = time.time()
    newest = checkpointing.generations(cut.checkpoint)[0]
    assert cut.status() == "interrupted"
    assert killed - newest.stat().st_mtime < 3
    assert 40 < checkpointing.read(cut.checkpoint).epoch < 300
    train(load_config(cut.config_file), resume=cut)
    whole = train(config, outputs=outputs)
    assert len(whole.history()) == 300
    assert cut.history() == whole.history()
    best = [keras.saving.load_model(run.model_file("best")).get_weights() for run in (cut, whole)]
    for one, other in zip(*best, strict=True):
        np.testing.assert_array_equal(one, other)
