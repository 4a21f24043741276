"""The warm worker: children that start at once and end as fresh processes do."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from dlrun.config.dumping import dump_config
from dlrun.errors import JobError
from dlrun.jobs.warm import WarmWorker
from dlrun.run_dir import RunDir

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="forks on Linux only")


@pytest.fixture(scope="module")
def worker():
    warm = WarmWorker()
    yield warm
    warm.close()


def wait(process, seconds=60):
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return process.returncode


def train(worker, config, run, *options):
    return worker.start(["train", str(config), "--run-dir", str(run), *options], run.with_suffix(".out"))


def test_a_run_equals_that_of_this_process_and_an_error_is_told_in_its_output(worker, digits, digits_run, tmp_path):
    config = tmp_path / "digits.yaml"
    config.write_text(dump_config(digits()))
    run = train(worker, config, tmp_path / "run")
    wrong = train(worker, tmp_path / "nothing.yaml", tmp_path / "wrong")
    assert (wait(run), wait(wrong)) == (0, 2)
    assert (tmp_path / "run" / "history.csv").read_bytes() == digits_run.history_file.read_bytes()
    assert RunDir(tmp_path / "run").record()["command"][:2] == ["dlrun", "train"]
    assert "nothing.yaml" in (tmp_path / "wrong.out").read_text()


@pytest.mark.slow
def test_a_command_that_is_stopped_can_be_resumed(worker, digits, tmp_path):
    config = tmp_path / "digits.yaml"
    config.write_text(dump_config(digits(training={"epochs": 100_000, "batch_size": 128, "tensorboard": False})))
    process = train(worker, config, tmp_path / "run")
    while not list((tmp_path / "run").glob("checkpoint/0*")):
        time.sleep(0.02)
    process.terminate()
    assert wait(process) == 75
    assert RunDir(tmp_path / "run").status() == "interrupted"


@pytest.mark.slow
def test_without_its_starter_the_worker_stops_its_commands(digits, tmp_path):
    worker = WarmWorker()
    config = tmp_path / "digits.yaml"
    config.write_text(dump_config(digits(training={"epochs": 100_000, "batch_size": 128, "tensorboard": False})))
    train(worker, config, tmp_path / "run")
    while not list((tmp_path / "run").glob("checkpoint/0*")):
        time.sleep(0.02)
    worker.close()
    assert RunDir(tmp_path / "run").status() == "interrupted"


def test_a_dead_worker_is_told(tmp_path):
    worker = WarmWorker()
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(JobError, match="worker process has ended"):
        worker.start(["runs"], tmp_path / "out")


def test_an_answer_that_nobody_has_read_is_not_taken_for_the_next_one(worker, tmp_path):
    process = worker.start(["list", "models"], tmp_path / "out")
    request = {"number": 0, "poll": process.pid}
    worker._process.stdin.write(json.dumps(request) + "\n")  # a signal came before its answer
    assert wait(process) == 0
