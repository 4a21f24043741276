import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dlrun.errors import JobError
from dlrun.jobs.starting import LOST, HeldProcess, SeenProcess, Starter
from dlrun.processes import process_of


def wait(process):
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return process.poll()


def test_a_process_waits_at_its_gate_and_sees_its_variables(tmp_path):
    output = tmp_path / "new" / "out"
    process = Starter(["/bin/sh", "-c", 'echo "$0 $DEVICE"']).fresh(["train"], output, {"DEVICE": "GPU-a"})
    time.sleep(0.3)
    assert (process.poll(), output.read_text()) == (None, "")
    process.go()
    assert (wait(process), output.read_text()) == (0, "train GPU-a\n")


def test_a_process_whose_starter_dies_at_the_gate_never_runs(tmp_path):
    process = Starter(["/bin/sh", "-c", "echo ran"]).fresh([], tmp_path / "out", {})
    process._process.stdin.close()  # as the system does for a dead process
    assert wait(process) != 0
    assert (tmp_path / "out").read_text() == ""


def test_a_process_that_was_killed_at_its_gate_is_told_by_its_exit_code(tmp_path):
    process = Starter(["true"]).fresh([], tmp_path / "out", {})
    process.terminate()
    assert wait(process) == -signal.SIGTERM
    process.go()


class DeadWorker:
    """A warm worker that was killed."""

    def ask(self, **_request):
        raise JobError("the worker process has ended")


def test_a_child_whose_worker_was_killed_is_watched_until_it_ends():
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        process = HeldProcess(DeadWorker(), sleeper.pid)
        process.go()
        assert process.poll() is None
        process.terminate()
        sleeper.wait()
        assert process.poll() == process.returncode == LOST


def test_a_process_of_that_number_which_began_at_another_time_is_left_alone():
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        other = SeenProcess({**process_of(sleeper.pid), "start": 1})
        assert other.poll() == LOST
        other.terminate()
        assert SeenProcess(process_of(sleeper.pid)).poll() is None
        sleeper.kill()


@pytest.mark.slow
def test_a_warm_child_waits_too_and_a_killed_worker_is_replaced(tmp_path):
    starter = Starter()
    first = starter.warm(["list", "models"], tmp_path / "first")
    time.sleep(0.3)
    assert (first.poll(), (tmp_path / "first").exists()) == (None, False)
    first.go()
    assert wait(first) == 0
    held = starter.warm(["list", "models"], tmp_path / "held")
    os.kill(starter._worker.pid, signal.SIGKILL)
    assert wait(held) == LOST
    second = starter.warm(["list", "models"], tmp_path / "second")
    second.go()
    assert wait(second) == 0
    starter.close()
    assert Path(tmp_path / "second").read_text() == Path(tmp_path / "first").read_text()
    assert not (tmp_path / "held").exists()
