"""The index of runs: right whatever happens to the directories, and to the index."""

import json
import os
import shutil
import sqlite3
import threading
import time

import pytest

from dlrun import run_index
from dlrun.files import write_json
from dlrun.run_dir import RunDir, find_run, list_runs
from dlrun.run_index import INDEX, Listed, listed

LONG_AGO = time.time() - 3600


@pytest.fixture(autouse=True)
def _every_change_is_worth_a_writing(monkeypatch):
    monkeypatch.setattr(run_index, "_WORTH", 1)


@pytest.fixture
def make(outputs, monkeypatch):
    """Makes a completed run that was last changed an hour ago; returns its directory."""
    monkeypatch.setattr(os, "fsync", lambda _: None)

    def make(number=0, name="digits", value=0.5):
        run = RunDir(outputs / name / f"20260101-0000{number:02}-abcdef")
        run.path.mkdir(parents=True)
        write_json(run.record_file, {"status": "completed", "started": f"2026-01-01T00:00:{number:02}", "seconds": 1.5})
        best = {"val_loss": value}
        write_json(run.metrics_file, {"monitor": "val_loss", "mode": "min", "best_epoch": 3, "best": best})
        return run

    return make


@pytest.fixture
def looks_later(monkeypatch):
    """Lets a listing happen ten seconds after the files were written, so that what it reads is kept."""
    now = time.time_ns
    monkeypatch.setattr(run_index.time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def read(monkeypatch):
    """The directories that were read."""
    found, original = [], run_index._read
    monkeypatch.setattr(run_index, "_read", lambda *them: (found.append(them[2]), original(*them))[1])
    return found


def test_a_second_listing_reads_nothing_and_says_the_same(make, outputs, looks_later, read):
    runs = [make(number, value=number / 8) for number in range(3)]
    first = listed(outputs)
    assert [row.id for row in first] == [run.id for run in runs]
    assert first[1]._replace(signature=0) == Listed(
        "digits", runs[1].id, 0, "run", "2026-01-01T00:00:01", "completed", None, 1.5, 3, "val_loss", "min", 0.125
    )
    read.clear()
    assert listed(outputs) == first
    assert read == []


def test_a_file_changed_a_moment_ago_is_read_again(make, outputs, read):
    make()
    listed(outputs)
    listed(outputs)
    assert len(read) == 2


@pytest.mark.parametrize("file", ["run.json", "metrics.json"])
def test_a_change_by_hand_shows_also_when_size_and_time_stay(make, outputs, looks_later, file):
    run = make()
    listed(outputs)
    path = run.path / file
    before = path.stat()
    path.write_text(path.read_text().replace("completed", "failed   ").replace("0.5", "0.7"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    (row,) = listed(outputs)
    assert (row.written, row.value) == (("failed   ", 0.5) if file == "run.json" else ("completed", 0.7))


def test_runs_removed_renamed_copied_or_damaged_show_right(make, outputs, looks_later):
    runs = [make(number) for number in range(4)]
    listed(outputs)
    shutil.rmtree(runs[0].path)
    runs[1].path.rename(outputs / "digits" / "mine")
    shutil.copytree(runs[2].path, outputs / "other" / runs[2].id)
    runs[3].record_file.write_text("{")
    rows = [(row.folder, row.id, row.status) for row in listed(outputs)]
    assert rows == [
        ("digits", runs[3].id, "damaged"),
        ("digits", "mine", "completed"),
        ("digits", runs[2].id, "completed"),
        ("other", runs[2].id, "completed"),
    ]


def test_what_is_gone_is_forgotten(make, outputs, looks_later):
    shutil.rmtree(make(0).path.parent) if listed(outputs) else None
    run = make(1)
    listed(outputs)
    shutil.rmtree(run.path)
    assert listed(outputs) == []
    with sqlite3.connect(outputs / INDEX) as db:
        assert db.execute("SELECT count(*) FROM listed").fetchone() == (0,)


def damage(content):
    return lambda path: path.write_bytes(content(path.read_bytes()))


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        damage(lambda _: b""),
        damage(lambda _: b"not a database, but a long text that somebody has put here" * 40),
        damage(lambda content: content[:5000]),
        damage(lambda content: content[:100] + bytes(len(content) - 100)),
        lambda path: _execute(path, "PRAGMA user_version = 99"),
    ],
    ids=["lost", "empty", "text", "cut off", "zeros", "newer"],
)
def test_an_index_that_is_lost_or_damaged_is_made_anew(make, outputs, looks_later, read, harm):
    for number in range(40):
        make(number)
    first = listed(outputs)
    harm(outputs / INDEX)
    assert listed(outputs) == first
    listed(outputs)  # the one before may only have taken a damaged file away
    read.clear()
    assert listed(outputs) == first
    assert read == []


def _execute(path, statement):
    with sqlite3.connect(path) as db:
        db.execute(statement)


def test_an_index_that_another_process_holds_is_passed_over(make, outputs, looks_later):
    make(0)
    listed(outputs)
    other = sqlite3.connect(outputs / INDEX, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    make(1)
    assert len(listed(outputs)) == 2
    other.execute("ROLLBACK")
    assert len(listed(outputs)) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_listed_all_the_same(make, outputs, looks_later):
    make()
    outputs.chmod(0o500)
    try:
        assert len(listed(outputs)) == 1
    finally:
        outputs.chmod(0o700)


def test_an_index_that_cannot_be_made_is_done_without(make, outputs, looks_later):
    make()
    (outputs / INDEX).mkdir()
    assert len(listed(outputs)) == 1


def test_few_runs_make_no_index(make, outputs, looks_later, monkeypatch):
    monkeypatch.setattr(run_index, "_WORTH", 20)
    make()
    listed(outputs)
    assert not (outputs / INDEX).exists()


def test_many_at_once_list_and_write_without_harm(make, outputs, looks_later):
    for number in range(30):
        make(number)
    counts, threads = [], []
    for _ in range(8):
        threads.append(threading.Thread(target=lambda: [counts.append(len(listed(outputs))) for _ in range(5)]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [30] * 40


def test_the_status_of_a_run_under_way_is_never_that_of_the_index(make, outputs, looks_later):
    run = make()
    process = {"pid": 2**22 + 1, "host": os.uname().nodename, "start": 0}
    write_json(run.record_file, {"status": "running", "started": "2026", "process": process})
    assert [row.status for row in (*listed(outputs), *listed(outputs))] == ["interrupted"] * 2
    run.start({})
    assert listed(outputs)[0].status == "running"


def test_what_is_being_removed_is_no_run(make, outputs):
    run = make()
    run.path.rename(run.path.with_name(f".trash-{run.id}"))
    assert listed(outputs) == list(list_runs(outputs)) == []


def test_a_study_is_listed_with_what_its_summary_says_and_its_runs_by_its_folder(make, outputs, looks_later):
    study = outputs / "digits" / "20260101-000009-abcdef-kfold"
    make(0, name="digits/20260101-000009-abcdef-kfold")
    summary = {"monitor": "val_loss", "mode": "min", "recommended_epochs": 7, "best": {"val_loss": {"mean": 0.25}}}
    write_json(study / "summary.json", summary)
    write_json(study / "study.json", {"status": "completed", "started": "2026"})
    for _ in range(2):
        (row,) = listed(outputs)
        assert (row.kind, row.best_epoch, row.value) == ("study", 7, 0.25)
        assert [row.value for row in listed(outputs, f"digits/{study.name}")] == [0.5]


@pytest.mark.parametrize(
    "record",
    [
        [],
        {},
        {"status": "completed", "seconds": [1]},
        {"status": "running", "process": 3},
        {"status": 1, "seconds": 2**80},
    ],
)
def test_records_of_any_content_are_listed_and_kept(make, outputs, looks_later, record):
    run = make()
    run.record_file.write_text(json.dumps(record))
    assert listed(outputs) == listed(outputs)
    assert listed(outputs)[0].status


def test_names_that_are_no_text_are_listed_and_keep_no_other_from_it(make, outputs, looks_later):
    make(1)
    make(2, name=os.fsdecode(b"bad-\xff"))
    assert len(listed(outputs)) == len(listed(outputs)) == 2


def test_a_run_that_has_lost_its_record_is_found_by_its_id(make, outputs):
    run = make(1)
    run.checkpoint.mkdir()
    run.record_file.unlink()
    assert find_run(run.id[:12], outputs).path == run.path


def test_a_run_is_found_with_the_index_as_without(make, outputs, looks_later):
    first, second = make(1), make(2, name="later")
    for _ in range(2):
        assert find_run("-", outputs).path == second.path
        assert find_run("digits", outputs).path == first.path
        assert find_run(second.id, outputs).path == second.path


def test_a_folder_and_a_link_to_it_beside_it_are_one(make, outputs):
    run = make(1)
    (outputs / "alias").symlink_to(run.path.parent.name, target_is_directory=True)
    assert [(row.folder, row.id) for row in listed(outputs)] == [(run.path.parent.name, run.id)]
    assert [row.id for row in listed(outputs, "alias")] == [run.id]
    assert find_run(run.id[:-2], outputs).path == run.path


def test_a_folder_that_is_a_link_to_elsewhere_is_listed(make, outputs, tmp_path):
    run = make(1)
    run.path.parent.rename(tmp_path / "elsewhere")
    (outputs / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [(row.folder, row.id) for row in listed(outputs)] == [("linked", run.id)]
