import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dlrun.jobs.endings import OPEN
from dlrun.jobs.entries import Request
from dlrun.jobs.leases import Box
from dlrun.jobs.queue import Queue
from dlrun.jobs.working import Orders, work
from dlrun.processes import alive, process_of
from dlrun.run_dir import RunDir

STUB = Path(__file__).parent / "stub.py"
PROGRAM = (sys.executable, "-I", "-S", str(STUB))


@pytest.fixture
def queue(tmp_path, monkeypatch):
    monkeypatch.setenv("STUB", str(tmp_path))
    return Queue(tmp_path / "outputs")


def requests(count, **needs):
    return [Request("x", f"x/run-{number:03}", f"experiment {number}", **needs) for number in range(count)]


def work_with_stubs(queue, box, **orders):
    return work(queue, box, Orders(warm=False, program=PROGRAM, **orders))


def test_runs_share_the_gpus_and_each_device_has_one_at_a_time(queue, tmp_path):
    queue.add(requests(12))
    entries = work_with_stubs(queue, Box(gpus=("a", "b"), at_once=2))
    assert {entry.state for entry in entries} == {"done"}
    assert {path.name for path in tmp_path.glob("*.lock")} == {"a.lock", "b.lock"}
    assert not (tmp_path / "overlap").exists()


def test_a_terminal_ends_when_its_own_runs_have_ended(queue):
    first, second = queue.add(requests(2))
    work_with_stubs(queue, Box(), wanted={first.number})
    assert [entry.state for entry in queue.find([first.number, second.number])] == ["done", "waiting"]


def test_a_run_whose_process_is_killed_is_tried_again_and_one_that_always_dies_fails(queue, monkeypatch):
    (entry,) = queue.add(requests(1))
    orders = Orders(warm=False, program=("/bin/sh", "-c", "kill -9 $$"))
    (ended,) = work(queue, Box(), orders)
    assert (ended.state, ended.failure, ended.crashes) == ("failed", "crash", 3)
    assert ended.message == "its process ended with signal 9"
    assert queue.retry([entry.number])[0].state == "waiting"
    (ended,) = work_with_stubs(queue, Box())
    assert (ended.state, ended.failure) == ("done", None)


def test_after_enough_failures_nothing_begins_and_what_runs_goes_back(queue):
    queue.add(requests(6))
    script = 'echo "error: no luck"; case "$4" in *-000|*-001) exit 2;; *) exec sleep 60;; esac'
    began = time.monotonic()
    entries = work(queue, Box(at_once=2), Orders(max_failures=2, warm=False, program=("/bin/sh", "-c", script, "sh")))
    assert [entry.state for entry in entries] == ["failed", "failed"] + ["waiting"] * 4
    assert (entries[0].failure, entries[0].message) == ("config", "no luck")
    assert time.monotonic() - began < 50


def test_what_ends_the_call_puts_runs_back_without_counting_a_failure(queue, monkeypatch):
    monkeypatch.setenv("STUB_SECONDS", "60")
    queue.add(requests(2))

    def interrupt(entries):
        if all(entry.process for entry in entries):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(queue, Box(at_once=2), Orders(warm=False, program=PROGRAM), interrupt)
    assert [(entry.state, entry.crashes, entry.lease) for entry in queue.entries()] == [("waiting", 0, [])] * 2


def test_a_run_that_is_cancelled_while_it_runs_is_stopped(queue, monkeypatch):
    monkeypatch.setenv("STUB_SECONDS", "60")
    (entry,) = queue.add(requests(1))

    def cancel(entries):
        if entries[0].process:
            queue.cancel([entry.number])

    (ended,) = work(queue, Box(), Orders(warm=False, program=PROGRAM), cancel)
    assert ended.state == "cancelled"


def test_a_run_that_a_user_has_resumed_meanwhile_is_waited_for_and_not_stopped(queue, tmp_path):
    queue.add(requests(1))
    (entry,) = queue.entries()
    run = RunDir.claim(queue.job(entry).run_dir)
    orders = Orders(warm=False, program=("false",))
    with subprocess.Popen(["sleep", "60"]) as process:
        run.start({})
        run.update(process=process_of(process.pid))

        def interrupt(entries):
            if entries[0].process:
                raise KeyboardInterrupt

        def end(entries):
            run.end("completed")
            process.kill()
            process.wait()

        with pytest.raises(KeyboardInterrupt):
            work(queue, Box(), orders, interrupt)
        assert process.poll() is None
        assert queue.entries()[0].process["pid"] == process.pid
        (ended,) = work(queue, Box(), orders, end)
    assert ended.state == "done"


@contextmanager
def several_workers(queue, count):
    """Processes that work on the queue; they are killed at the end, if they are still there."""

    def start():
        return subprocess.Popen([sys.executable, str(STUB), "worker", str(queue.folder)])

    workers = [start() for _ in range(count)]
    try:
        yield workers, start
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


@pytest.mark.slow
def test_no_two_leases_overlap_and_every_run_ends_once_whatever_is_killed(queue, tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_SECONDS", "0.6")
    queue.add(requests(200))
    chance = random.Random(1)
    deadline = time.monotonic() + 500
    killed = {"workers": 0, "runs": 0}
    with several_workers(queue, 4) as (workers, start):
        while any(entry.state in OPEN for entry in queue.entries()):
            assert time.monotonic() < deadline
            time.sleep(chance.uniform(0.5, 1.5))
            running = [entry.process for entry in queue.entries() if entry.process and alive(entry.process)]
            if running and chance.random() < 0.3:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(running)["pid"], signal.SIGKILL)
                killed["runs"] += 1
            else:
                number = chance.randrange(4)
                workers[number].kill()
                workers[number].wait()
                workers[number] = start()
                killed["workers"] += 1
        assert [worker.wait(60) for worker in workers] == [0] * 4
    print(killed)
    assert min(killed.values()) > 2
    assert {entry.state for entry in queue.entries()} == {"done"}
    assert all(RunDir(queue.job(entry).run_dir).status() == "completed" for entry in queue.entries())
    assert not (tmp_path / "overlap").exists()
    assert not (tmp_path / "again").exists()
