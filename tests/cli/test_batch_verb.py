import json
import re
import sys
from pathlib import Path

import pytest

from dlrun.cli import main
from dlrun.cli._batch_board import Board, Lines, printed
from dlrun.config.dumping import dump_config
from dlrun.errors import Interrupted
from dlrun.jobs.endings import output_of
from dlrun.jobs.leases import PRETENDED, Box
from dlrun.jobs.queue import Queue
from dlrun.run_dir import RunDir
from dlrun.studies import batch as study


@pytest.fixture
def config(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one.yaml").write_text(dump_config(digits(name="one")))
    return "one.yaml"


def complete(run_dir):
    """Leaves what a completed run leaves."""
    run = RunDir.claim(run_dir)
    run.metrics_file.write_text('{"best": {"val_loss": 0.5}, "monitor": "val_loss", "best_epoch": 3, "seconds": 1.5}')
    run.start({})
    run.end("completed")


@pytest.fixture
def worked(monkeypatch):
    """Stands in for processes: runs complete at once, but for those named here."""
    failing = set()

    def work(queue, box, orders, on_look):
        while entry := queue.claim(Box(cores=99)):
            on_look(queue.entries(orders.wanted))
            if entry.name in failing:
                queue.settle(entry.number, 2)
            else:
                complete(queue.job(entry).run_dir)
                queue.settle(entry.number, 0)
        entries = queue.entries(orders.wanted)
        on_look(entries)
        return entries

    monkeypatch.setattr(study, "work", work)
    return failing


def test_the_plan_is_shown_and_nothing_is_queued(config, outputs, capsys, monkeypatch):
    monkeypatch.setenv(PRETENDED, "GPU-a,GPU-b")
    assert main(["batch", config, "--seeds", "2", "--dry-run", "--per-gpu", "2", "--outputs", str(outputs)]) == 0
    assert "2 runs to do, on 2 GPUs, 2 runs on each" in capsys.readouterr().out
    assert main(["batch", config, "--dry-run", "--json", "--gpus", "1", "--outputs", str(outputs)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["gpus"], plan["at_once"], plan["runs"][0]["equal"]) == (["GPU-b"], 1, None)
    assert not outputs.exists()


def test_runs_are_told_line_by_line_and_in_a_table(config, outputs, capsys, worked):
    assert main(["batch", config, "--outputs", str(outputs)]) == 0
    told = capsys.readouterr()
    assert re.search(r"\d\d:\d\d:\d\d \[0/1\] job 1 runs on \d+ cores?: outputs/one/", told.err)
    assert re.search(r"\[1/1\] job 1 done: outputs/one/\S+: val_loss 0.5000 at epoch 3", told.err)
    assert re.search(r"1  one +\d{8}-\d{6}-\w{6}  done +3  val_loss 0.5000 +1.5\n1 done\n", told.out)
    assert main(["batch", config, "--quiet", "--json", "--outputs", str(outputs)]) == 0
    told = capsys.readouterr()
    assert (json.loads(told.out)["runs"][0]["state"], told.err) == ("done", "")


def test_a_failed_run_makes_the_exit_code_and_the_same_command_tries_it_again(config, outputs, capsys, worked):
    worked.add("one")
    assert main(["batch", config, "digits", "--outputs", str(outputs)]) == 1
    out = capsys.readouterr().out
    assert re.search(r"failed +config: its process ended with code 2", out)
    assert "next  dlrun queue logs 1    dlrun queue retry 1\n" in out
    worked.clear()
    assert main(["batch", config, "digits", "--json", "--outputs", str(outputs)]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 2


def test_without_a_config_it_works_on_what_waits(config, outputs, capsys, worked):
    assert main(["queue", "add", config, "--outputs", str(outputs)]) == 0
    assert capsys.readouterr().out.startswith("job 1 waiting: outputs/one/")
    assert main(["batch", "--json", "--outputs", str(outputs)]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 1
    assert main(["batch", "--outputs", str(outputs)]) == 0
    assert capsys.readouterr().out == "nothing to do\n"


def test_two_ways_to_limit_failures_are_refused(config, capsys):
    assert main(["batch", config, "--fail-fast", "--max-failures", "3"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_stop_says_how_to_go_on(config, outputs, capsys, monkeypatch):
    def stopped(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "work", stopped)
    assert main(["batch", config, "--outputs", str(outputs)]) == Interrupted("", resumable=True).exit_code
    assert "the same command goes on" in capsys.readouterr().err


def test_the_queue_is_shown_and_changed(config, outputs, capsys, monkeypatch):
    monkeypatch.setenv("DLRUN_OUTPUTS", str(outputs))
    assert main(["queue"]) == 0
    assert "there is no queue" in capsys.readouterr().out
    assert main(["queue", "retry", "1", "--outputs", str(outputs)]) == 1
    main(["queue", "add", config, "--seeds", "3", "--outputs", str(outputs)])
    for command in (["pause"], ["pause", "2"], ["cancel", "3"]):
        assert main(["queue", *command, "--outputs", str(outputs)]) == 0
    capsys.readouterr()
    assert main(["queue", "ls", "--outputs", str(outputs)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"1  waiting .*\n +2  paused .*\n2 waiting, 1 cancelled; paused: dlrun queue resume\n", shown)
    for command in (["resume"], ["resume", "2"], ["retry", "3"]):
        assert main(["queue", *command, "--outputs", str(outputs)]) == 0
    capsys.readouterr()
    main(["queue", "ls", "--json", "--outputs", str(outputs)])
    told = json.loads(capsys.readouterr().out)
    assert not told["paused"]
    assert [(job["state"], job["paused"]) for job in told["jobs"]] == [("waiting", False)] * 3


def test_what_a_run_has_printed_is_shown(config, outputs, capsys):
    main(["queue", "add", config, "--outputs", str(outputs)])
    queue = Queue(outputs)
    (entry,) = queue.entries()
    assert main(["queue", "logs", "1", "--outputs", str(outputs)]) == 0
    assert "nothing yet" in capsys.readouterr().err
    output_of(queue.job(entry).run_dir).write_text("epoch 1\nepoch 2\n")
    queue.cancel([1])
    assert main(["queue", "logs", "1", "--follow", "--outputs", str(outputs)]) == 0
    assert capsys.readouterr().out == "epoch 1\nepoch 2\n"


def test_the_board_shows_device_epoch_best_and_time_left(config, outputs):
    text = (
        "epoch 1  4.00 s  loss 2  val_loss 3.1  *best so far\n"
        "epoch 2  2.00 s  loss 1  val_loss 1.5e-02  *best so far\nepoch 3  2.00 s  loss 1  val_loss 2\n"
    )
    assert printed(text, 40, None) == ("3/40", "val_loss 1.5e-02", "1:14")
    assert printed(text, 40, "loss") == ("3/40", "loss 1", "1:14")
    assert printed("data digits\n", 40, None) == ("0/40", "", "")
    main(["queue", "add", config, "--gpus", "none", "--outputs", str(outputs)])
    queue = Queue(outputs)
    entry = queue.claim(Box(("GPU-x",)))
    output_of(queue.job(entry).run_dir).write_text(text)
    board = Board(queue)
    board.look(queue.entries())
    assert board._rows[0][1:] == ["GPU-x", f"outputs/{entry.run}", "3/3", "val_loss 1.5e-02", "0:00"]


def test_a_run_that_is_to_be_tried_again_is_told(config, outputs):
    main(["queue", "add", config, "--outputs", str(outputs)])
    queue = Queue(outputs)
    lines, told = Lines(queue, quiet=False), []
    lines.tell = told.append
    lines.look(queue.entries())
    entry = queue.claim(Box(cores=9))
    lines.look(queue.entries())
    queue.settle(entry.number, -11)
    lines.look(queue.entries())
    assert len(told) == 2
    assert told[1].endswith("job 1 will be tried again: its process ended with signal 11")


def test_without_ray_the_message_says_how_to_install_it(config, outputs, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["batch", config, "--engine", "ray", "--outputs", str(outputs)]) == 1
    error = capsys.readouterr().err
    assert "Ray is not installed" in error
    assert "pip install 'dlrun[ray]'" in error
    assert not outputs.exists()


def test_the_gpus_of_a_cluster_are_not_chosen_here(config, capsys):
    assert main(["batch", config, "--engine", "ray", "--gpus", "0"]) == 2
    assert "Ray chooses the GPUs" in capsys.readouterr().err
