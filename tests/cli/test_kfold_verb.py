import contextlib
import io
import json
import re
import sys

import pytest

from dlrun import environment, machine
from dlrun.cli import main
from dlrun.cli._kfold_tables import show_end
from dlrun.config.loading import dump_config
from dlrun.jobs import local
from dlrun.jobs.local import JobResult
from dlrun.run_dir import RunDir
from dlrun.studies import kfold
from dlrun.studies._study_dir import StudyDir

SUMMARY = {
    "notes": ["a remark"],
    "fold_epochs": [3, 3],
    "epochs": 3,
    "recommended_epochs": 2,
    "monitor": "val_accuracy",
    "mode": "max",
    "smoothing": 0.9,
    "dropped_epochs": 1,
    "interval": "95 %, of some kind",
    "metrics": {"val_accuracy": {"mean": 0.75, "std": 0.05, "low": 0.7, "high": 0.8, "folds": [0.7, 0.8]}},
    "best": {"val_accuracy": {"mean": 0.85, "std": 0.05, "low": 0.8, "high": 0.9, "folds": [0.8, 0.9]}},
    "metrics_original": {},
    "best_original": {},
    "baselines": {"val_accuracy": 0.1},
    "folds": [{"run": "fold-0"}, {"run": "fold-1"}],
    "out_of_fold": {"weights": "last", "rows": 80, "outputs": {"digit": {"unit": "", "metrics": {"accuracy": 0.74}}}},
    "final": None,
}


@pytest.fixture
def config(digits, tmp_path):
    path = tmp_path / "digits.yaml"
    path.write_text(dump_config(digits()))
    return path


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    monkeypatch.setattr(local, "worker_ahead", lambda wanted: contextlib.nullcontext())


@pytest.fixture
def worked(monkeypatch):
    """`kfold.run` without the work; the options it was given."""
    given = []

    def run(study, options, *, command, on_end, tell, worker):
        study.start(command=command)
        study.end("completed")
        given.append(options)
        tell("a word")
        on_end(RunDir(study.path / "fold-0"), JobResult(None, None, 2))
        return SUMMARY

    monkeypatch.setattr(kfold, "run", run)
    monkeypatch.setattr(kfold, "why_failed", lambda result: "it did not begin")
    return given


def test_the_plan_is_shown_and_nothing_is_left_behind(config, outputs, capsys):
    arguments = ["kfold", str(config), "--n-splits", "3", "--repeats", "2", "--jobs", "2", "--outputs", str(outputs)]
    assert main([*arguments, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("6 folds (kind auto), 3 epochs, batch size 128; 2 at once")
    assert "dlrun train STUDY/configs/repeat-1-fold-2.yaml --run-dir STUDY/repeat-1-fold-2" in text
    assert main([*arguments, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["folds"]["repeat-1-fold-0"] == {"index": 0, "n_splits": 3, "repeat": 1}
    assert not outputs.exists()


@pytest.mark.parametrize(("device", "jobs"), [("auto", 3), ("gpu", 3), ("gpu:1", 1), ("cpu", 2)])
def test_folds_share_gpus_where_there_are_some(device, jobs, config, capsys, monkeypatch):
    monkeypatch.setattr(machine, "nvidia_gpus", lambda: 3)
    monkeypatch.setattr(environment, "available_cores", lambda: 2)
    assert main(["kfold", str(config), "-k", "4", "-s", f"runtime.device={device}", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jobs"] == jobs


def test_options_stand_above_overrides_and_these_above_the_file(config, outputs, capsys):
    config.write_text(config.read_text() + "kfold: {n_splits: 5, repeats: 2}\n")
    assert (
        main(["kfold", str(config), "-s", "kfold.n_splits=4", "-k", "3", "--dry-run", "--outputs", str(outputs)]) == 0
    )
    assert capsys.readouterr().out.startswith("6 folds")


def test_the_end_says_the_figures_and_what_to_type_next(config, outputs, capsys, worked):
    assert main(["kfold", str(config), "-k", "2", "--outputs", str(outputs), "--weights", "best"]) == 0
    said = capsys.readouterr()
    (path,) = outputs.glob("digits/*-kfold")
    assert "0.7500 ± 0.0500  0.7000 to 0.8000  0.8500 ± 0.0500" in said.out
    assert "2 of 3 (most val_accuracy of the mean curve, moving average, factor 0.9, without the first 1)" in said.out
    assert "accuracy 0.7400; 80 rows, last weights" in said.out
    assert f"dlrun kfold --resume {path} --final" in said.out
    assert "fold-0  not begun: it did not begin" in said.err
    assert "note: a remark" in said.err
    assert worked[0].weights == "best"
    assert StudyDir(path).record()["plan"]["folds"] == ["fold-0", "fold-1"]


def test_json_is_one_object_and_quiet_says_the_result_only(config, outputs, capsys, worked):
    assert main(["kfold", str(config), "-k", "2", "--outputs", str(outputs), "--json", "--quiet"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["status"], found["summary"]["recommended_epochs"], said.err) == ("completed", 2, "")


def test_a_study_goes_on_by_name_under_its_own_plan(config, outputs, capsys, worked):
    assert main(["kfold", str(config), "-k", "2", "--outputs", str(outputs)]) == 0
    assert main(["kfold", "--resume", "digits", "--final", "--jobs", "1", "--outputs", str(outputs)]) == 0
    assert (worked[1].final, worked[1].slots) == (True, 1)
    assert len(list(outputs.glob("digits/*"))) == 1
    assert main(["kfold", "--resume", "digits", "-k", "3", "--outputs", str(outputs)]) == 2
    assert "under the plan it was begun with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a CONFIG, or --resume STUDY"),
        (["digits", "--resume", "-"], "give a CONFIG, or --resume STUDY"),
        (["--resume", "nothing"], "there is no study 'nothing'"),
        (["digits", "-k", "1"], "kfold.n_splits is out of range"),
        (["boston_housing", "-s", "kfold.kind=head", "--repeats", "2"], "the same in every repetition"),
    ],
)
def test_what_cannot_be_is_told(arguments, message, outputs, capsys):
    assert main(["kfold", *arguments, "--outputs", str(outputs)]) == 2
    assert message in capsys.readouterr().err
    assert not outputs.exists()


@pytest.mark.parametrize(("columns", "tables"), [("100", 1), ("60", 2)])
def test_a_narrow_terminal_has_a_table_for_each_epoch(columns, tables, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    show_end(StudyDir(tmp_path), SUMMARY, as_json=False)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", sys.stdout.getvalue()).splitlines()
    assert sum(line.startswith("val_accuracy  0.") for line in lines) == tables
    assert sum("baseline" in line for line in lines) == tables
