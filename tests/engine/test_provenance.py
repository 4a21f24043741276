"""What a run says of its code, packages and machine, when it starts and when it goes on."""

import hashlib
import subprocess

import pytest

import dlrun
from dlrun.config.loading import load_config
from dlrun.engine.provenance import another_session, provenance
from dlrun.engine.session import Session
from dlrun.run_dir import RunDir

CPU = Session("/CPU:0", "CPU", 2, True)
ABOUT = {"command": ["dlrun", "train", "mine.yaml"]}
PLUGIN = """import dlrun


@dlrun.model("mine")
def mine(spec, *, units: int = 3):
    return None
"""
CONFIG = "data: digits\nmodel: {name: mlp, hidden: [4]}\n"


def run_git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def committed(folder, **files):
    """A repository with these files in it."""
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.{'py' if name == 'plugin' else 'yaml'}").write_text(text)
    run_git(folder, "init", "-q")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def code(tmp_path, monkeypatch):
    """The current folder: a repository with `mine.yaml`. dlrun itself counts as installed."""
    monkeypatch.setattr(dlrun, "__file__", "/site-packages/dlrun/__init__.py")
    folder = committed(tmp_path / "code", mine=CONFIG)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(tmp_path):
    """A claimed run directory."""
    return RunDir.claim(tmp_path / "run")


def started(run, config="mine.yaml"):
    run.start(provenance(load_config(config), CPU, run, ABOUT))
    return run.record()


def of(record, name):
    """The repository in which this part of the run lies."""
    return next(repository for repository in record["git"] if name in repository["of"])


def test_a_run_names_commit_config_folder_machine_and_command(code, run):
    record = started(run)
    assert of(record, "current folder") == of(record, "config")
    assert of(record, "config")["root"] == str(code)
    assert not of(record, "config")["dirty"]
    assert record["config_files"] == [str(code / "mine.yaml")]
    assert record["folder"] == str(code)
    assert record["command"] == ABOUT["command"]
    assert (record["device"], record["threads"]) == ("CPU", 2)
    assert record["machine"]["cpu"]
    assert record["versions"]["keras"]
    assert "\nkeras==" in run.packages_file.read_text()


def test_uncommitted_changes_are_kept_as_a_patch(code, run):
    (code / "mine.yaml").write_text(CONFIG + "seed: 2\n")
    patch = of(started(run), "config")["patch"]
    content = run.patch_file(1).read_bytes()
    assert patch["file"] == "dirty.patch"
    assert b"+seed: 2" in content
    assert patch["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_plugin_in_another_repository_has_a_commit_and_a_patch_of_its_own(code, run, tmp_path):
    other = committed(tmp_path / "other", plugin=PLUGIN)
    (other / "plugin.py").write_text(PLUGIN + "# new\n")
    (code / "mine.yaml").write_text(CONFIG + "plugins: [../other/plugin.py]\n")
    record = started(run)
    assert of(record, "plugin plugin.py")["root"] == str(other)
    assert b"+seed" not in run.patch_file(2).read_bytes()
    assert b"# new" in run.patch_file(2).read_bytes()
    assert of(record, "plugin plugin.py")["patch"]["file"] == "dirty-2.patch"


def test_extended_files_are_named_too(code, run, tmp_path):
    (tmp_path / "base.yaml").write_text(CONFIG)
    (code / "mine.yaml").write_text("extends: ../base.yaml\nseed: 3\n")
    assert {path.rpartition("/")[2] for path in started(run)["config_files"]} == {"base.yaml", "mine.yaml"}


def test_a_directory_left_while_provenance_was_written_can_be_claimed_again(code, run):
    (code / "mine.yaml").write_text(CONFIG + "seed: 2\n")
    provenance(load_config("mine.yaml"), CPU, run, ABOUT)
    assert run.patch_file(1).exists()
    assert RunDir.claim(run.path).path == run.path


def test_each_session_has_its_times_and_command(code, run):
    started(run)
    run.end("interrupted")
    run.start(another_session(run.record(), CPU, run, {"command": ["dlrun", "train", "--resume", "-"]}))
    first, second = run.record()["sessions"]
    assert set(first) == {"started", "ended", "status", "command"}
    assert first["status"] == "interrupted"
    assert first["started"] <= second["started"]
    assert second == {"started": second["started"], "command": ["dlrun", "train", "--resume", "-"]}


def test_a_session_that_was_killed_has_no_end(code, run):
    started(run)
    run.start(another_session(run.record(), CPU, run, ABOUT))
    run.end("completed")
    first, second = run.record()["sessions"]
    assert "ended" not in first
    assert second["status"] == "completed"


def test_a_later_session_tells_what_is_not_as_in_the_first(code, run, monkeypatch):
    started(run)
    (code / "mine.yaml").write_text(CONFIG + "seed: 2\n")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    gpu = Session("/GPU:0", "A GPU", 2, True)
    later = another_session(run.record(), gpu, run, ABOUT)["sessions"][1]
    assert set(later) == {"command", "device", "machine", "variables", "git"}
    assert later["device"] == "A GPU"
    assert of(later, "current folder")["patch"]["file"] == "dirty.patch"
    assert b"+seed: 2" in run.patch_file(1).read_bytes()


def test_a_changed_patch_does_not_replace_the_first_one(code, run):
    (code / "mine.yaml").write_text(CONFIG + "seed: 2\n")
    started(run)
    (code / "mine.yaml").write_text(CONFIG + "seed: 3\n")
    another_session(run.record(), CPU, run, ABOUT)
    assert b"+seed: 2" in run.patch_file(1).read_bytes()
    assert b"+seed: 3" in run.patch_file(2).read_bytes()


@pytest.mark.parametrize("damage", [None, "x", [3], [{}], [{"of": 3, "root": 4}], {"commit": "a"}])
def test_a_damaged_record_does_not_keep_a_run_from_going_on(code, run, damage):
    record = {**started(run), "git": damage, "sessions": damage}
    assert another_session(record, CPU, run, ABOUT)["sessions"][-1]["git"]


def test_dlrun_in_a_repository_has_a_commit_too(code, run, tmp_path, monkeypatch):
    own = committed(tmp_path / "own", mine=CONFIG)
    monkeypatch.setattr(dlrun, "__file__", str(own / "__init__.py"))
    assert of(started(run), "dlrun")["root"] == str(own)
