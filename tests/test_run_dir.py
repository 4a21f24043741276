import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlrun.errors import RunDirError, UnknownNameError
from dlrun.files import write_json, write_text
from dlrun.processes import process_of
from dlrun.run_dir import RunDir, find_run, list_runs


@pytest.fixture
def run(outputs):
    made = RunDir.create(outputs, "digits")
    made.start({"name": "digits"})
    return made


def test_two_runs_never_share_a_directory(outputs):
    assert len({RunDir.create(outputs, "same").path for _ in range(30)}) == 30


def test_a_running_run_of_this_process_is_running(run):
    assert run.status() == "running"


def test_a_run_whose_process_is_gone_is_interrupted(run):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    record = json.loads(run.record_file.read_text())
    record["process"]["pid"] = int(dead.stdout)
    write_json(run.record_file, record)
    assert run.status() == "interrupted"


def test_a_reused_process_number_does_not_keep_a_dead_run_alive(run):
    record = json.loads(run.record_file.read_text())
    record["process"]["start"] = 1
    write_json(run.record_file, record)
    assert run.status() == "interrupted"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="told by /proc")
def test_a_process_that_is_dead_but_still_listed_is_gone(run):
    child = subprocess.Popen([sys.executable, "-c", ""])
    record = run.record()
    record["process"] |= process_of(child.pid)
    write_json(run.record_file, record)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and nobody has asked for its exit code yet
    assert run.status() == "interrupted"
    child.wait()


def test_only_end_makes_a_run_completed(run):
    run.end("completed")
    assert run.status() == "completed"
    assert run.record()["ended"]


def test_history_is_written_and_read_back(run):
    rows = [{"loss": 1.5, "val_loss": 2.0}, {"loss": 1.0, "val_loss": 1.75}]
    run.write_history(rows, [0.5, 0.25])
    assert run.history() == rows
    assert run.history_file.read_text().splitlines()[0] == "epoch,loss,val_loss"
    assert run.timing_file.read_text() == "epoch,seconds\n1,0.5\n2,0.25\n"


@pytest.mark.parametrize("kept", [1, 2, -1])
def test_a_history_that_is_cut_off_is_refused_also_between_two_lines(run, kept):
    run.write_history([{"loss": 1.5}, {"loss": 1.0}], [0.5, 0.25])
    text = run.history_file.read_text()
    run.history_file.write_text("".join(text.splitlines(keepends=True)[:kept]) if kept > 0 else text[:-1])
    with pytest.raises(RunDirError, match=r"history\.csv is cut off"):
        run.history()
    run.write_history([{"loss": 1.5}], [0.5])  # as a run does that goes on from an earlier epoch
    assert len(run.history()) == 1


def test_a_run_that_has_lost_its_record_is_listed(run, outputs):
    run.checkpoint.mkdir()
    run.record_file.unlink()
    assert [found.id for found in list_runs(outputs)] == [run.id]


def test_numbers_that_json_has_not_become_null(tmp_path):
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": [float("inf")]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [None]}


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    monkeypatch.setattr(os, "fsync", _disk_is_full)
    with pytest.raises(RunDirError, match=r"x\.json cannot be written: No space left on device"):
        write_text(path, "{}")
    assert json.loads(path.read_text()) == {"a": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["x.json"]


def _disk_is_full(*_arguments, **_options):
    raise OSError(28, "No space left on device")


def test_a_lock_that_cannot_be_made_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr("filelock._api.BaseFileLock.acquire", _disk_is_full)
    with (
        pytest.raises(RunDirError, match="cannot be written: No space left on device"),
        RunDir(tmp_path).owned(new=True),
    ):
        pass


def test_who_takes_over_a_run_removes_what_was_half_written(tmp_path):
    run = RunDir.claim(tmp_path / "run")
    run.start({})
    (run.path / ".history.csv.123.tmp").write_text("epo")
    (run.path / ".best.tmp.keras").write_text("")
    with run.owned(new=False):
        assert {item.name for item in run.path.iterdir()} == {".lock", "run.json"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_a_damaged_record_is_one_clear_error(run, text):
    run.record_file.write_text(text)
    with pytest.raises(RunDirError, match=r"run\.json"):
        run.status()


def test_a_record_of_a_newer_format_is_refused(run):
    write_json(run.record_file, {"format": 2, "status": "completed"})
    with pytest.raises(RunDirError, match="has format 2"):
        run.record()


def test_runs_are_found_by_path_id_prefix_name_and_dash(outputs, run):
    later = RunDir.create(outputs, "later")
    later.start({})
    for text in (str(run.path), run.id, "digits"):
        assert find_run(text, outputs).path == run.path
    assert find_run("-", outputs).id == later.id
    assert [r.id for r in list_runs(outputs)] == [run.id, later.id]


def test_an_unknown_run_suggests_the_nearest_name(outputs, run):
    with pytest.raises(UnknownNameError, match="there is no run 'digit'") as caught:
        find_run("digit", outputs)
    assert "did you mean digits?" in str(caught.value)


def test_a_prefix_of_several_ids_is_refused(outputs, run):
    RunDir.create(outputs, "other").start({})
    with pytest.raises(UnknownNameError, match="'20' is the beginning of 2 run ids"):
        find_run("20", outputs)


def test_no_run_at_all_says_how_to_start_one(outputs):
    with pytest.raises(UnknownNameError, match="there is no run under"):
        find_run("-", outputs)


def test_a_given_directory_is_claimed_only_when_it_is_empty(tmp_path):
    folder = tmp_path / "mine"
    RunDir.claim(folder).start({})
    with pytest.raises(RunDirError, match="is not empty"):
        RunDir.claim(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunDirError, match="cannot be made: Permission denied"):
        RunDir.create(tmp_path / "outputs", "x")


def test_a_file_in_the_way_is_a_clear_error(tmp_path):
    (tmp_path / "outputs").write_text("")
    with pytest.raises(RunDirError, match="cannot be made: Not a directory"):
        RunDir.create(tmp_path / "outputs", "x")


def test_a_study_is_no_run(outputs):
    (outputs / "digits" / "x-kfold").mkdir(parents=True)
    write_json(outputs / "digits" / "x-kfold" / "study.json", {})
    with pytest.raises(RunDirError, match=r"is a study of several runs(.|\n)*dlrun runs x-kfold"):
        find_run(str(outputs / "digits" / "x-kfold"), outputs)
