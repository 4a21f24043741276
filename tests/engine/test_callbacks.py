import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.engine import callbacks, checkpointing
from dlrun.engine.callbacks import WRITING_SHARE, RecordingPlan, RunRecorder
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

    def run_epochs(epochs, epoch_seconds, writing_seconds, every_seconds):
        clock, written = Clock(), []
        monkeypatch.setattr(callbacks, "time", clock)

        def save(folder, model, others, progress):
            written.append(progress.epochs)
            clock.now += writing_seconds

        monkeypatch.setattr(callbacks.checkpointing, "save", save)
        monkeypatch.setattr(callbacks, "save_models", lambda *_arguments: None)
        run = RunDir.create(tmp_path / "outputs", "paced")
        plan = RecordingPlan(run, "loss", "min", False, {}, every_seconds, False)
        recorder = RunRecorder(plan, [], ignore, stop_asked=lambda: False, checkpoint=None)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        recorder.set_model(model)
        recorder.on_train_begin()
        began = clock.now
        for epoch in range(epochs):
            recorder.on_epoch_begin(epoch)
            clock.now += epoch_seconds
            recorder.on_epoch_end(epoch, {"loss": 1.0})
        return written, clock.now - began

    return run_epochs


def test_fast_epochs_are_written_once_a_second(record):
    written, seconds = record(300, 0.01, 0.001, 1.0)
    assert written[0] == 1
    assert len(written) == pytest.approx(seconds, abs=1.5)


def test_writing_takes_a_twentieth_of_the_time_at_most(record):
    written, seconds = record(2000, 0.01, 0.5, 0.0)
    assert 0.5 * (len(written) - 1) <= WRITING_SHARE * seconds
    assert len(written) > 1


def test_long_epochs_are_all_written(record):
    assert record(5, 30.0, 0.5, 1.0)[0] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_a_killed_run_has_lost_about_a_second_and_goes_on_exactly(digits, outputs, tmp_path):
    training = {"epochs": 300, "batch_size": 64}
    config = digits(training=training, runtime={"execution": "whole_epoch", "jit_compile": False})
    (tmp_path / "fast.yaml").write_text(dump_config(config))
    command = [sys.executable, "-m", "dlrun", "train", str(tmp_path / "fast.yaml"), "--run-dir", str(outputs / "cut")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cut = RunDir(outputs / "cut")
    while process.poll() is None and not any(int(one.name) > 40 for one in checkpointing.generations(cut.checkpoint)):
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
