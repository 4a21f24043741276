"""The verbs as a user types them, in this process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from dlrun.cli import main
from dlrun.run_dir import list_runs

FAST = ["-s", "training.epochs=2", "-s", "training.tensorboard=false", "-s", "runtime.jit_compile=false"]


@pytest.fixture
def folder(digits_run, tmp_path, monkeypatch):
    """A current folder with one finished run in `outputs/`."""
    shutil.copytree(digits_run.path.parent.parent, tmp_path / "outputs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _json(capsys, *arguments, code=0):
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_train_prints_plain_lines_on_stderr_and_the_result_on_stdout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", *FAST]) == 0
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.err.splitlines()] == [
        "run",
        "data",
        "model:",
        "epoch",
        "epoch",
        "completed",
    ]
    assert "baseline 0.1007" in printed.out
    assert "dlrun evaluate -" in printed.out
    (run,) = list_runs(tmp_path / "outputs")
    assert run.record()["command"][:1] == ["dlrun"]


def test_train_as_json_is_one_object(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = _json(capsys, "train", "digits", *FAST)
    assert found["status"] == "completed"
    assert found["metrics"]["epochs"] == 2


def test_a_dry_run_prints_layers_and_keeps_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", "--dry-run", *FAST]) == 0
    assert "nothing was kept" in capsys.readouterr().out
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", ["-", "digits"])
def test_evaluate_takes_the_latest_run_and_a_name(folder, capsys, name):
    found = _json(capsys, "evaluate", name)
    assert found["rows"] == 359
    assert set(found["values"]) == {"accuracy", "f1", "loss"}


def test_evaluate_prints_intervals_classes_and_the_confusion_matrix(folder, capsys):
    assert main(["evaluate", "-", "--split", "validation"]) == 0
    printed = capsys.readouterr().out
    assert "95 % interval" in printed
    assert "precision" in printed
    assert "true, by row" in printed


def test_the_second_reading_of_test_is_pointed_out(folder, capsys):
    for expected in (False, True):
        assert main(["evaluate", "-"]) == 0
        assert ("has been read 2 times" in capsys.readouterr().err) is expected


def test_predict_without_input_takes_the_test_part(folder, capsys):
    assert main(["predict", "-"]) == 0
    assert "359 predictions in outputs/digits/" in capsys.readouterr().out


def test_runs_and_show_tell_what_there_is(folder, capsys):
    (row,) = _json(capsys, "runs")["runs"]
    assert row["status"] == "completed"
    assert _json(capsys, "show", "-")["run"]["id"] == row["id"]
    assert main(["show", row["id"]]) == 0
    assert "test read" in capsys.readouterr().out


def test_a_damaged_run_does_not_break_the_list(folder, capsys):
    (run,) = list_runs(folder / "outputs")
    run.metrics_file.write_text("{")
    assert [row["status"] for row in _json(capsys, "runs")["runs"]] == ["damaged"]
    run.record_file.write_text("")
    assert [row["status"] for row in _json(capsys, "runs")["runs"]] == ["damaged"]


def test_retrain_makes_a_run_that_names_its_parent(folder, capsys):
    found = _json(capsys, "retrain", "-", "--epochs", "1")
    assert found["metrics"]["validated"] is False
    (parent,) = [run for run in list_runs(folder / "outputs") if run.path.parent.name == "digits"]
    assert _json(capsys, "show", found["run"])["run"]["parent"] == parent.id


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "digit"], 2, "digit"),
        (["train"], 2, "give a CONFIG, or --resume RUN"),
        (["train", "digits", "--nonsense"], 2, "No such option"),
        (["trian", "digits"], 2, "train"),
        (["evaluate", "nobody"], 2, "there is no run 'nobody'"),
        (["evaluate", "nothing.keras"], 2, "there is no file nothing.keras"),
        (["predict", "-", "nowhere.csv"], 2, "nowhere.csv"),
        (["train", "--resume", "digits"], 2, "is completed"),
        (["train", "digits", "--run-dir", "outputs"], 1, "is not empty"),
        (["evaluate", "-", "--config", "digits"], 2, "--config is for a .keras file outside a run"),
    ],
)
def test_wrong_commands_end_with_one_clear_error(folder, capsys, arguments, code, message):
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


def test_an_error_as_json_is_one_object(folder, capsys):
    found = _json(capsys, "evaluate", "nobody", code=2)
    assert found["exit_code"] == 2
    assert "nobody" in found["error"][0]["message"]


@pytest.mark.slow  # tests/faults does the same in forked processes
def test_a_signal_stops_a_real_process_and_resume_finishes_it(tmp_path):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable,
        "-m",
        "dlrun",
        "train",
        "digits",
        "-s",
        "training.epochs=400",
        "-s",
        "callbacks=[]",
        *FAST[2:],
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 3 "):
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 75
    assert "go on with: dlrun train --resume outputs/digits/" in rest
    assert "Traceback" not in rest


@pytest.mark.slow
def test_a_killed_run_is_interrupted_and_can_be_resumed(tmp_path):
    command = [
        sys.executable,
        "-m",
        "dlrun",
        "train",
        "digits",
        "-s",
        "training.epochs=12",
        "-s",
        "callbacks=[]",
        *FAST[2:],
    ]
    command += ["-s", "training.checkpoint_every_seconds=0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 3 "):
                process.kill()
                break
        process.wait()
    (run,) = list_runs(tmp_path / "outputs")
    for _ in range(50):
        if run.status() == "interrupted":
            break
        time.sleep(0.1)
    assert run.status() == "interrupted"
    assert main(["train", "--resume", str(run.path), "--quiet"]) == 0
    assert run.status() == "completed"
    assert len(run.history()) == 12
