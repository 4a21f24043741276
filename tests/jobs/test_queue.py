import json
import os
import sqlite3
import subprocess
import sys
import time

import pytest

from dlrun.errors import JobError, UnknownNameError
from dlrun.jobs.entries import Request
from dlrun.jobs.leases import Box
from dlrun.jobs.queue import Queue
from dlrun.processes import process_of, this_process
from dlrun.run_dir import RunDir

DEAD = {**this_process(), "start": 1}


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path)


def request(name, experiment=None, **needs):
    return Request("x", f"x/{name}", experiment or name, **needs)


def change(queue, number, **values):
    """Writes into the file as another process would."""
    with sqlite3.connect(queue.path) as other:
        for key, value in values.items():
            text = json.dumps(value) if isinstance(value, dict) else value
            other.execute(f"UPDATE jobs SET {key} = ? WHERE number = ?", [text, number])


def end_run(queue, entry, status, kind=None):
    """Leaves the run directory of a run that ended so."""
    run = RunDir.claim(queue.job(entry).run_dir)
    run.start({})
    run.end(status, **({"failure": {"kind": kind, "message": f"{kind} it is"}} if kind else {}))


def test_an_experiment_that_is_open_is_joined_and_a_finished_one_is_left(queue):
    first, second = queue.add([request("a"), request("b", "a")])
    assert first.number == second.number
    claimed = queue.claim(Box())
    assert queue.add([request("c", "a")])[0].number == claimed.number
    end_run(queue, claimed, "completed")
    assert queue.settle(claimed.number, 0).state == "done"
    assert queue.add([request("d", "a")])[0].state == "done"
    assert queue.add([request("e", "a")], rerun=True)[0].state == "waiting"


def test_a_finished_run_that_was_removed_is_run_again(queue):
    (entry,) = queue.add([request("a")])
    change(queue, entry.number, state="done")
    assert queue.add([request("b", "a")])[0].state == "waiting"


def test_runs_are_claimed_in_order_and_a_large_one_is_not_overtaken(queue):
    queue.add([request("a"), request("wide", threads=2), request("c")])
    box = Box(cores=2, at_once=2)
    first = queue.claim(box)
    assert first.run == "x/a"
    assert queue.claim(box) is None
    end_run(queue, first, "completed")
    queue.settle(first.number, 0)
    assert queue.claim(box).lease == ["core-0", "core-1"]


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("oom", ["waiting", "failed"]),
        ("crash", ["waiting", "waiting", "waiting", "failed"]),
        ("nan", ["failed"]),
        ("shape", ["failed"]),
        ("data", ["failed"]),
        ("config", ["failed"]),
        ("disk", ["failed"]),
    ],
)
def test_each_class_of_failure_has_its_policy(queue, kind, states):
    (entry,) = queue.add([request("a")])
    seen = []
    while not seen or seen[-1] == "waiting":
        queue.claim(Box(cores=4))
        time.sleep(0.02)  # the clock of files is coarse
        RunDir(queue.job(entry).run_dir).path.mkdir(parents=True, exist_ok=True)
        RunDir(queue.job(entry).run_dir).start({})
        RunDir(queue.job(entry).run_dir).end("failed", failure={"kind": kind, "message": f"error: x.yaml:1:2: {kind}!"})
        settled = queue.settle(entry.number, 1)
        seen.append(settled.state)
        assert (settled.failure, settled.message, settled.lease) == (kind, f"{kind}!", [])
        assert settled.alone == (kind == "oom")
    assert seen == states


def test_memory_that_ran_out_is_tried_again_with_all_cores(queue):
    (entry,) = queue.add([request("a")])
    change(queue, entry.number, alone=1)
    assert queue.claim(Box(cores=3)).lease == ["core-0", "core-1", "core-2"]


@pytest.mark.parametrize(
    ("exit_code", "printed", "failure", "message", "state"),
    [
        (2, "error: a.yaml:1:2: no such key\n", "config", "no such key", "failed"),
        (1, "error: no GPU\n  hint  buy one\n", "error", "no GPU", "failed"),
        (1, "Traceback ...\nKeyError: 1\n", "crash", "KeyError: 1", "waiting"),
        (-11, "", "crash", "its process ended with signal 11", "waiting"),
        (75, "", "crash", "its process ended with code 75", "waiting"),
        (0, "", "crash", "its process ended with code 0", "waiting"),
    ],
)
def test_a_process_that_left_no_record_is_judged_by_its_end(queue, exit_code, printed, failure, message, state):
    (entry,) = queue.add([request("a")])
    queue.claim(Box())
    (queue.folder / "x").mkdir()
    (queue.folder / "x" / "a.out").write_text(printed)
    settled = queue.settle(entry.number, exit_code)
    assert (settled.failure, settled.message, settled.state) == (failure, message, state)


def test_the_record_of_an_earlier_try_is_not_taken_for_this_one(queue):
    (entry,) = queue.add([request("a")])
    end_run(queue, entry, "failed", "oom")
    change(queue, entry.number, alone=1)
    time.sleep(0.02)
    queue.claim(Box())
    assert queue.settle(entry.number, None, stopped=True).state == "waiting"


def test_what_a_dead_process_had_claimed_goes_back_or_is_done(queue):
    lost, finished = queue.add([request("a"), request("b")])
    for entry in (lost, finished):
        queue.claim(Box(cores=2))
        change(queue, entry.number, owner=DEAD, process=DEAD)
    end_run(queue, finished, "completed")
    assert {entry.number: entry.state for entry in queue.recover()} == {lost.number: "waiting", finished.number: "done"}
    assert queue.find([lost.number])[0].crashes == 0


@pytest.mark.parametrize("end", ["recover", "release"])
def test_a_run_in_a_cluster_has_ended_when_its_owner_has(queue, end):
    queue.add([request("a")])
    entry = queue.claim(Box(pool="ray"))
    assert entry.lease == ["ray-0"]
    run = RunDir.claim(queue.job(entry).run_dir)
    run.start({})
    run.update(process={"pid": 1, "host": "another", "start": 1})
    assert queue.job(entry).elsewhere
    if end == "recover":
        change(queue, entry.number, owner=DEAD)
        queue.recover()
    else:
        queue.release()
    (entry,) = queue.entries()
    assert (entry.state, entry.crashes, queue.job(entry).elsewhere) == ("waiting", 0, False)


def test_a_process_that_outlived_its_owner_keeps_its_lease(queue):
    queue.add([request("a"), request("b")])
    entry = queue.claim(Box())
    with subprocess.Popen(["sleep", "60"]) as process:
        queue.started(entry.number, process_of(process.pid))
        change(queue, entry.number, owner=DEAD)
        assert queue.recover() == []
        assert queue.claim(Box()) is None
        process.kill()
        process.wait()
    assert [entry.number for entry in queue.recover()] == [1]
    assert queue.claim(Box()).number == 1


def test_what_another_process_has_settled_stays_so(queue):
    (entry,) = queue.add([request("a")])
    queue.claim(Box())
    change(queue, entry.number, owner={**this_process(), "pid": 1})
    assert queue.settle(entry.number, 0).state == "running"


def test_what_this_process_has_claimed_and_nothing_runs_is_put_back(queue):
    mine, theirs, run = queue.add([request("a"), request("b"), request("c")])
    for _ in range(3):
        queue.claim(Box(cores=3))
    change(queue, theirs.number, owner={**this_process(), "pid": os.getppid()})
    queue.started(run.number, this_process())
    queue.release()
    assert [entry.state for entry in queue.entries()] == ["waiting", "running", "running"]
    assert mine.number == 1


def test_a_pause_holds_the_queue_or_one_run(queue):
    first, second = queue.add([request("a"), request("b")])
    queue.pause()
    assert queue.claim(Box()) is None
    queue.pause(paused=False)
    queue.pause([first.number])
    assert queue.claim(Box()).number == second.number
    queue.pause([first.number], paused=False)
    assert queue.claim(Box(cores=2)).number == first.number


def test_cancelled_and_failed_runs_wait_again_when_asked(queue):
    waiting, running, failed = queue.add([request("a"), request("b"), request("c")])
    queue.pause([waiting.number])
    queue.claim(Box())
    change(queue, failed.number, state="failed", crashes=3, alone=1)
    states = [(entry.state, entry.cancelled) for entry in queue.cancel([1, 2, 3])]
    assert states == [("cancelled", True), ("running", True), ("failed", False)]
    assert queue.settle(running.number, 75).state == "cancelled"
    again = queue.retry([1, 2, 3])
    assert [(entry.state, entry.paused, entry.cancelled, entry.crashes, entry.alone) for entry in again] == [
        ("waiting", False, False, 0, False)
    ] * 3
    with pytest.raises(UnknownNameError, match="no job 9"):
        queue.retry([9])


def test_many_processes_claim_no_run_twice(queue):
    queue.add([request(f"{number}") for number in range(40)])
    script = (
        "import sys; from pathlib import Path; from dlrun.jobs.queue import Queue; from dlrun.jobs.leases import Box\n"
        "queue = Queue(Path(sys.argv[1]))\n"
        "while entry := queue.claim(Box(cores=99)): print(entry.number)"
    )
    command = [sys.executable, "-c", script, str(queue.folder)]
    several = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    claimed = [int(line) for process in several for line in process.communicate()[0].split()]
    assert sorted(claimed) == list(range(1, 41))
    leases = [name for entry in queue.entries() for name in entry.lease]
    assert os.getpid() not in [entry.owner["pid"] for entry in queue.entries()]
    assert len(leases) == len(set(leases))


def test_a_queue_of_the_first_format_gets_the_new_columns(queue):
    (entry,) = queue.add([request("a")])
    with sqlite3.connect(queue.path) as other:
        other.execute("ALTER TABLE jobs DROP COLUMN gpu_memory")
        other.execute("ALTER TABLE jobs DROP COLUMN gpus")
        other.execute("UPDATE settings SET value = '1' WHERE key = 'format'")
    again = Queue(queue.folder)
    assert again.entries() == [entry]
    assert again.add([request("b", gpu_memory=5, gpus=2)])[0].gpu_memory == 5
    assert Queue(queue.folder).entries()[1].gpus == 2


def test_what_a_run_needs_is_what_was_asked_last(queue):
    queue.add([request("a", gpu_memory=5)])
    assert queue.add([request("b", "a", gpu_memory=7)])[0].gpu_memory == 7
    change(queue, 1, state="failed")
    (entry,) = queue.add([request("c", "a", gpu_memory=8, gpus=2)])
    assert (entry.state, entry.gpu_memory, entry.gpus) == ("waiting", 8, 2)


def test_a_newer_or_damaged_queue_is_refused(tmp_path):
    with sqlite3.connect(Queue(tmp_path).path) as other:
        other.execute("UPDATE settings SET value = '3' WHERE key = 'format'")
    with pytest.raises(JobError, match="has format 3"):
        Queue(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "queue.sqlite").write_text("no database, but long enough to look at" * 100)
    with pytest.raises(JobError, match="cannot be used: file is not a database"):
        Queue(tmp_path / "x")
