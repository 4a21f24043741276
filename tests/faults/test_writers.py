"""Several processes at the same runs, owners that died, and data that is not what it was."""

import json
import shutil
import socket
import subprocess
import sys

import pytest
from cases import differences, write_config
from killing import KILLED, go_on

from dlrun.run_dir import RunDir

STOP = {"kill": {"epoch": 3, "signals": ["SIGTERM"]}}


def _cut(server, whole, path):
    assert go_on(server, whole, path, STOP).code == 75
    return path


def test_of_two_processes_that_resume_a_run_one_goes_on_and_the_other_is_told(server, whole, path):
    _cut(server, whole(), path)
    pids = [server.start("train", "--resume", path, cwd=path) for _ in range(2)]
    one, other = sorted((server.wait(pid) for pid in pids), key=lambda ended: ended.code)
    assert one.code == 0, one.text
    assert other.code in (1, 2), other.text
    told = ("another process is working on the run", "is running", "is completed")  # as they met
    assert any(words in other.text for words in told), other.text
    assert "Traceback" not in other.text
    assert differences(whole().path, path) == []


def test_a_run_in_work_is_refused_to_a_second_process(server, whole, path):
    _cut(server, whole(), path)
    with RunDir(path).owned(new=False):
        ended = go_on(server, whole(), path, {})
    assert ended.code == 1
    assert "another process is working on the run" in ended.text


@pytest.mark.slow
def test_eight_processes_start_the_same_config_at_once_and_all_complete(server, whole, tmp_path):
    config = whole().config
    pids = [server.start("train", config, "--outputs", tmp_path / "outputs", cwd=config.parent) for _ in range(8)]
    ended = [server.wait(pid) for pid in pids]
    assert [one.code for one in ended] == [0] * 8, [one.text for one in ended if one.code]
    runs = list((tmp_path / "outputs" / config.stem).iterdir())
    assert len(runs) == 8
    for run in runs:
        assert differences(whole().path, run) == []
    listed = server.run("runs", "--outputs", tmp_path / "outputs", "--json", cwd=tmp_path)
    assert [row["status"] for row in json.loads(listed.text)["runs"]] == ["completed"] * 8


@pytest.mark.slow
def test_of_two_processes_with_one_run_dir_one_wins(server, whole, path):
    config = whole().config
    pids = [server.start("train", config, "--run-dir", path, cwd=config.parent) for _ in range(2)]
    one, other = sorted((server.wait(pid) for pid in pids), key=lambda ended: ended.code)
    assert (one.code, other.code) == (0, 1), other.text
    told = ("another process", "is not empty")
    assert any(words in other.text for words in told), other.text
    assert differences(whole().path, path) == []


def test_the_lock_of_a_killed_process_does_not_block(server, whole, path):
    assert go_on(server, whole(), path, {"kill": {"epoch": 2}}).code == KILLED
    assert (path / ".lock").exists()
    assert go_on(server, whole(), path, {}).code == 0
    assert differences(whole().path, path) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="start times of processes are read from /proc")
def test_another_process_under_the_number_of_a_dead_owner_does_not_block(server, whole, path):
    _cut(server, whole(), path)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        run = RunDir(path)
        run.update(status="running", process={"pid": other.pid, "host": socket.gethostname(), "start": 1})
        assert run.status() == "interrupted"
        assert go_on(server, whole(), path, {}).code == 0
    finally:
        other.communicate()
    assert differences(whole().path, path) == []


@pytest.fixture
def on_a_table(server, tmp_path):
    """A run on a CSV file that was stopped: its path, and the file."""
    table = tmp_path / "table.csv"
    rows = [f"{n % 7},{n % 5},{'yes' if n % 7 > n % 5 else 'no'}" for n in range(300)]
    table.write_text("\n".join(["one,two,bigger", *rows, ""]))
    config = write_config(tmp_path, "dropout", "whole_epoch", epochs=4)
    text = config.read_text().replace("data: digits", f"data: {{name: csv, path: {table}, target: bigger}}")
    config.write_text(text.replace("test: 1000", "test: 60"))
    path = tmp_path / "run"
    fault = {"kill": {"epoch": 2, "signals": ["SIGTERM"]}}
    ended = server.run("train", config, "--run-dir", path, cwd=tmp_path, fault=fault)
    assert ended.code == 75, ended.text
    return path, table


def _resume(server, path):
    ended = server.run("train", "--resume", path, cwd=path)
    assert "Traceback" not in ended.text
    return ended


@pytest.mark.slow
def test_a_data_file_that_vanished_is_named_and_the_run_goes_on_when_it_is_back(server, on_a_table):
    path, table = on_a_table
    whole = shutil.copytree(path, path.parent / "whole")
    assert _resume(server, whole).code == 0
    table.rename(table.with_suffix(".away"))
    ended = _resume(server, path)
    assert ended.code in (1, 2)
    assert "table.csv" in ended.text
    assert RunDir(path).status() in ("failed", "interrupted")
    table.with_suffix(".away").rename(table)
    assert _resume(server, path).code == 0
    assert differences(whole, path) == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["a value", "a row less", "another order"])
def test_a_data_file_that_changed_is_refused(server, on_a_table, how):
    path, table = on_a_table
    head, *rows = table.read_text().splitlines()
    changed = {"a value": ["6,4,no", *rows[1:]], "a row less": rows[:-1], "another order": rows[::-1]}[how]
    table.write_text("\n".join([head, *changed, ""]))
    ended = _resume(server, path)
    assert ended.code == 1, ended.text
    assert "the data is not the same as when the run began" in ended.text
