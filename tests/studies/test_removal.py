"""`dlrun runs rm` and `prune`: what goes, what stays, and what a kill leaves behind."""

import json
import os
import shutil
from datetime import datetime, timedelta

import pytest

from dlrun import files
from dlrun.cli import main
from dlrun.errors import ConfigError, RunDirError, UnknownNameError
from dlrun.files import discard, disk_bytes, empty_trash, write_json
from dlrun.jobs.entries import Request
from dlrun.jobs.queue import Queue
from dlrun.run_dir import RunDir, find_run, list_runs
from dlrun.run_index import Listed, listed
from dlrun.studies.prune import Choice, choose, read_age, read_keep
from dlrun.studies.removal import find_targets, remove

NOW = datetime(2026, 6, 30, 12).astimezone()


@pytest.fixture
def make(outputs, monkeypatch):
    """Makes a run with a checkpoint of 100 kB; returns it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)

    def make(number=0, name="digits", status="completed", value=0.5):
        run = RunDir(outputs / name / f"20260101-0000{number:02}-abcdef")
        run.checkpoint.mkdir(parents=True)
        (run.checkpoint / "weights.npz").write_bytes(bytes(100_000))
        write_json(run.record_file, {"id": run.id, "status": status, "started": f"2026-01-01T00:00:{number:02}+00:00"})
        if status == "completed":
            best = {"val_loss": value}
            write_json(run.metrics_file, {"monitor": "val_loss", "mode": "min", "best_epoch": 3, "best": best})
        return run

    return make


@pytest.fixture
def study(make, outputs):
    """A completed sweep of two trials."""
    folder = outputs / "digits" / "20260102-000000-abcdef-sweep"
    runs = [make(number, name=f"digits/{folder.name}") for number in range(2)]
    write_json(folder / "study.json", {"status": "completed", "verb": "sweep", "started": "2026-01-02T00:00:00+00:00"})
    return folder, runs


def test_a_removed_run_is_gone_with_its_output_and_the_links_to_it(make, outputs):
    run, other = make(1), make(2)
    (run.path.parent / f"{run.id}.out").write_text("printed")
    (run.path.parent / f"{run.id}.yaml").write_text("config")
    (outputs / "latest").symlink_to(run.path, target_is_directory=True)
    (run.path.parent / "current").symlink_to(run.id, target_is_directory=True)
    (target,) = find_targets([str(outputs / "latest")], outputs)
    assert target.path == run.path.resolve()
    assert target.bytes > 100_000
    remove([target], outputs)
    left = sorted(path.name for path in run.path.parent.iterdir())
    assert left == [f"{run.id}.yaml", other.id]  # the config stays, by which the queue can run it again
    assert not os.path.lexists(outputs / "latest")
    assert [found.id for found in list_runs(outputs)] == [other.id]


def test_a_run_is_named_by_its_path_or_the_beginning_of_its_id_only(make, outputs):
    run = make(1)
    make(2)
    for text in (str(run.path), run.id, run.id[:15]):
        assert [target.row.id for target in find_targets([text, run.id], outputs)] == [run.id]
    assert find_targets(["-"], outputs)[0].row.id.startswith("20260101-000002")
    with pytest.raises(ConfigError, match=r"digits is a name, of 2 runs or studies(.|\n)*beginning of its id"):
        find_targets(["digits"], outputs)
    with pytest.raises(ConfigError, match="'2026' is the beginning of 2 ids"):
        find_targets(["2026"], outputs)
    with pytest.raises(UnknownNameError, match="there is no run or study 'x'"):
        find_targets(["x"], outputs)
    with pytest.raises(UnknownNameError, match="there is no run or study"):
        find_targets([str(outputs)], outputs)


def test_a_run_that_has_lost_its_record_can_be_removed(make, outputs):
    run = make(1)
    run.record_file.unlink()
    remove(find_targets([run.id], outputs), outputs)
    assert not run.path.exists()


def test_running_runs_are_refused_all_at_once_and_nothing_goes(make, outputs):
    runs = [make(number) for number in range(3)]
    for run in runs[:2]:
        run.start({})
    with pytest.raises(ConfigError, match=r"-000000-abcdef is running(.|\n)*-000001-abcdef is running"):
        find_targets([run.id for run in runs], outputs)


def test_a_run_that_a_process_begins_to_work_on_meanwhile_stays(make, outputs):
    run = make(1)
    targets = find_targets([run.id], outputs)
    with run.owned(new=False), pytest.raises(RunDirError, match="another process is working on the run"):
        remove(targets, outputs)
    assert run.metrics_file.exists()


def test_a_run_that_waits_in_the_queue_is_refused_and_one_that_is_done_is_named(make, outputs):
    run = make(1, status="interrupted")
    queue = Queue(outputs)
    queue.add([Request("digits", f"digits/{run.id}", "x")])
    with pytest.raises(ConfigError, match=r"is waiting in the queue(.|\n)*dlrun queue cancel 1"):
        find_targets([run.id], outputs)
    queue.cancel([1])
    assert find_targets([run.id], outputs)[0].notes == ("job 1 of the queue (cancelled) refers to it",)


def test_a_study_goes_as_a_whole_unless_one_of_its_runs_is_running(study, outputs):
    folder, runs = study
    (target,) = find_targets([folder.name], outputs)
    assert target.bytes > 200_000
    runs[1].start({})
    with pytest.raises(ConfigError, match="a run of 20260102-000000-abcdef-sweep is running"):
        find_targets([folder.name], outputs)
    runs[1].end("completed")
    remove(find_targets([str(folder)], outputs), outputs)
    assert listed(outputs) == []


def test_a_run_of_a_study_is_removed_with_a_word_about_the_study(study, outputs):
    folder, runs = study
    (target,) = find_targets([str(runs[0].path)], outputs)
    assert target.notes == (f"the study {folder.name} refers to it; its summary keeps the figures",)
    record = json.loads((folder / "study.json").read_text())
    process = {"pid": os.getpid(), "host": "elsewhere"}
    write_json(folder / "study.json", record | {"status": "running", "process": process})
    with pytest.raises(ConfigError, match=f"{folder.name}, the study of {runs[0].id}, is running"):
        find_targets([str(runs[0].path)], outputs)


class Killed(BaseException):
    """The end of the process, as `kill -9` brings it."""


@pytest.mark.parametrize("after", range(4))
def test_a_removal_that_is_killed_leaves_a_whole_run_or_none(make, outputs, monkeypatch, after):
    run, later = make(1), make(2)
    size = sum(1 for _ in run.path.rglob("*"))

    def die(path, *_arguments, **_options):
        for step, file in enumerate(sorted(path.rglob("*"), reverse=True)):
            if step == after:
                raise Killed
            file.rmdir() if file.is_dir() else file.unlink()

    monkeypatch.setattr(files.shutil, "rmtree", die)
    with pytest.raises(Killed):
        remove(find_targets([run.id], outputs), outputs)
    assert [found.id for found in list_runs(outputs)] == [later.id]
    with pytest.raises(UnknownNameError):
        find_run(run.id, outputs)
    (trash,) = run.path.parent.glob(".trash-*")
    assert sum(1 for _ in trash.rglob("*")) == size + 1 - after  # the lock besides
    monkeypatch.undo()
    remove(find_targets([later.id], outputs), outputs)
    assert list(run.path.parent.iterdir()) == []


def test_a_checkpoint_that_is_half_removed_is_no_checkpoint_and_goes_with_the_next_look(make, outputs, monkeypatch):
    run = make(1)

    def die(*_arguments, **_options):
        raise Killed

    monkeypatch.setattr(files.shutil, "rmtree", die)
    with pytest.raises(Killed):
        main(["runs", "prune", "--checkpoints-only", "--yes", "--outputs", str(outputs)])
    assert not run.checkpoint.exists()
    monkeypatch.undo()
    with run.owned(new=False):
        assert [path.name for path in run.path.glob(".*")] == [".lock"]


def test_what_cannot_be_removed_is_told(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(files.shutil, "rmtree", lambda *_arguments, **_options: None)
    with pytest.raises(RunDirError, match=r"was removed in part: the rest lies in .*\.trash-run-"):
        discard(tmp_path / "run")
    discard(tmp_path / "not there")
    monkeypatch.undo()
    empty_trash(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_size_of_a_directory_is_that_of_all_in_it_but_not_of_what_links_lead_to(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "large").write_bytes(bytes(1_000_000))
    (tmp_path / "a" / "b" / "x").write_bytes(bytes(50_000))
    (tmp_path / "a" / "link").symlink_to(tmp_path / "large")
    assert 50_000 < disk_bytes(tmp_path / "a") < 100_000
    assert disk_bytes(tmp_path / "nothing") == 0


def row(number, *, folder="digits", written="completed", value=0.5, days=1, metric="val_loss", mode="min", kind="run"):
    started = (NOW - timedelta(days=days)).isoformat()
    return Listed(folder, str(number), 0, kind, started, written, None, 1.0, 1, metric, mode, value)


def ids(rows, **choice):
    return "".join(one.id for one in choose(rows, Choice(**choice), NOW))


def test_the_best_of_each_name_stay_by_their_own_metric():
    rows = [row(n, value=value) for n, value in enumerate((0.3, 0.1, 0.2))]
    rows += [row(n, value=value, folder="imdb", metric="val_accuracy", mode="max") for n, value in ((3, 0.8), (4, 0.9))]
    rows += [row(5, value=0.7, metric="val_mae"), row(6, written="failed", value=None), row(7, value=None)]
    assert ids(rows, best=1) == "02367"
    assert ids(rows, best=2) == "067"


def test_conditions_apply_together_and_studies_running_and_damaged_runs_always_stay():
    rows = [row(0, days=40), row(1, written="failed", days=40), row(2, written="failed", days=3), row(3, days=50)]
    rows += [row(4, written="damaged", days=90), row(5, kind="study", days=90)]
    assert ids(rows) == "0123"
    assert ids(rows, failed=True) == "12"
    assert ids(rows, older_than=timedelta(days=30)) == "013"
    assert ids(rows, older_than=timedelta(days=30), failed=True) == "1"
    assert ids(rows, latest=1) == "012"
    assert ids(rows, older_than=timedelta(days=30), latest=3) == "0"
    assert ids([row(0)._replace(started="nonsense")], older_than=timedelta()) == ""


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("30d", 720), ("2w", 336), (" 1.5 d ", 36)])
def test_ages_are_hours_days_and_weeks(text, hours):
    assert read_age(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["30", "d", "-3d", "3m", "1e9w", ""])
def test_other_ages_are_refused(text):
    with pytest.raises(ConfigError, match=r"this is no age(.|\n)*12h, 30d, 2w"):
        read_age(text)


def test_what_stays_is_stated_by_kind_and_number():
    assert read_keep(["best:3", "last:12"]) == {"best": 3, "latest": 12}
    for text in ("best", "best:0", "worst:3", "best:x"):
        with pytest.raises(ConfigError, match="this does not say what stays"):
            read_keep([text])


def prune(outputs, *arguments):
    return main(["runs", "prune", *arguments, "--outputs", str(outputs)])


def test_pruning_shows_what_goes_and_removes_it(make, outputs, capsys):
    runs = [make(number, value=number / 8) for number in range(3)]
    assert prune(outputs, "--keep", "best:1", "--dry-run") == 0
    assert "2 runs, 0.2 MiB" in capsys.readouterr().out
    assert all(run.path.exists() for run in runs)
    assert prune(outputs, "--keep", "best:1", "--yes") == 0
    assert "removed 2 runs; 0.2 MiB are free again" in capsys.readouterr().out
    assert [run.path.exists() for run in runs] == [True, False, False]
    assert prune(outputs, "--keep", "best:1", "--yes") == 0
    assert capsys.readouterr().out == "there is nothing to remove\n"


def test_pruning_passes_over_what_the_queue_will_run_and_links_to_runs_elsewhere(make, outputs, tmp_path, capsys):
    waiting, linked = make(1, status="interrupted"), make(2)
    Queue(outputs).add([Request("digits", f"digits/{waiting.id}", "x")])
    shutil.move(linked.path, tmp_path / "moved")
    linked.path.symlink_to(tmp_path / "moved", target_is_directory=True)
    assert prune(outputs, "--older-than", "1h", "--yes") == 0
    assert capsys.readouterr().out == "there is nothing to remove\n"


def test_checkpoints_of_runs_that_have_ended_go_also_in_a_study(make, study, outputs, capsys):
    ended, stopped = make(5), make(6, status="interrupted")
    folder, runs = study
    assert prune(outputs, "--checkpoints-only", "--yes") == 0
    assert "the checkpoints of 1 run" in capsys.readouterr().out
    assert [run.checkpoint.exists() for run in (ended, stopped, *runs)] == [False, True, True, True]
    assert prune(outputs, folder.name, "--checkpoints-only", "--yes", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["parts"] for one in found["runs"]] == [["checkpoint"], ["checkpoint"]]
    assert not any(run.checkpoint.exists() for run in runs)
    assert all(run.metrics_file.exists() for run in runs)


def test_pruning_without_a_condition_is_refused(make, outputs, capsys):
    make()
    assert prune(outputs, "--yes") == 2
    assert "say which runs: --keep, --failed, --older-than" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_without_a_terminal_and_without_yes_nothing_is_removed(make, outputs, capsys, extra):
    run = make()
    assert main(["runs", "rm", run.id, *extra, "--outputs", str(outputs)]) == 2
    assert "without a terminal to ask on, nothing is removed" in capsys.readouterr().err
    assert run.path.exists()


@pytest.mark.parametrize(("answer", "stays"), [(False, True), (True, False)])
def test_removal_asks(make, outputs, monkeypatch, answer, stays):
    run = make()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_arguments, **_options: answer)
    assert main(["runs", "rm", run.id, "--outputs", str(outputs)]) == 0
    assert run.path.exists() is stays


def test_runs_without_a_command_lists_and_a_run_called_rm_can_be_listed(make, outputs, capsys):
    make(1)
    make(2, name="rm")
    listing = ["--outputs", str(outputs), "--json"]
    for arguments, names in (
        (["runs"], ["digits", "rm"]),
        (["runs", "digits"], ["digits"]),
        (["runs", "ls", "rm"], ["rm"]),
    ):
        assert main([*arguments, *listing]) == 0
        assert [one["name"] for one in json.loads(capsys.readouterr().out)["runs"]] == names


@pytest.mark.parametrize("count", [2, 60])
def test_long_lists_are_cut_and_their_notes_counted(make, outputs, capsys, count):
    runs = [make(number) for number in range(count)]
    queue = Queue(outputs)
    queue.cancel([entry.number for entry in queue.add([Request("x", f"digits/{run.id}", run.id) for run in runs])])
    assert prune(outputs, "--older-than", "1h", "--dry-run") == 0
    shown = capsys.readouterr()
    assert shown.out.count("completed") == min(count, 50)
    assert ("... and 10 more" in shown.out) is (count == 60)
    assert f"{count} runs, " in shown.out
    if count == 60:
        assert shown.err == "note: the queue, or a study, refers to 60 of them\n"
    else:
        assert shown.err.count("of the queue (cancelled) refers to it") == 2


@pytest.mark.parametrize(("arguments", "code"), [(["rm", "digits"], 2), (["prune", "--failed"], 0)])
def test_where_there_is_no_folder_of_runs_nothing_is_removed(outputs, arguments, code):
    assert main(["runs", *arguments, "--outputs", str(outputs)]) == code


def test_runs_that_began_with_the_weights_of_a_run_are_named_before_it_goes(make, outputs):
    base, child = make(1), make(2)
    child.update(base_weights={"from_run": base.id, "sha256": "0"})
    (of_base,), (of_child,) = (find_targets([run.id], outputs) for run in (base, child))
    assert of_base.notes == (f"{child.id} began with its weights; it can be used, but not resumed or trained again",)
    assert of_child.notes == ()
