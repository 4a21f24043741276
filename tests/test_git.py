"""What is kept of the repository around a run."""

import subprocess
from pathlib import Path

import pytest

from dlrun import git
from dlrun.git import git_state, repository_root


def run_git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """A repository on the branch `work` with one committed file, in a folder with a space and an umlaut."""
    root = tmp_path / "my répo"
    root.mkdir()
    run_git(root, "init", "-q", "-b", "work")
    (root / "a.py").write_text("one\n")
    run_git(root, "add", "a.py")
    run_git(root, "commit", "-q", "-m", "first")
    return root


def test_outside_a_repository_there_is_no_root(tmp_path):
    assert repository_root(tmp_path) is None


def test_a_folder_that_is_gone_has_no_root(tmp_path):
    assert repository_root(tmp_path / "gone") is None


def test_without_git_nothing_is_known(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert repository_root(repository) is None
    assert git_state(repository) is None


def test_a_repository_without_a_commit_has_no_state(tmp_path):
    run_git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None


def test_a_clean_repository_has_commit_and_branch_and_no_patch(repository):
    (repository / "below").mkdir()
    assert repository_root(repository / "below") == repository
    state = git_state(repository)
    assert len(state.facts["commit"]) == 40
    assert state.facts == {
        "root": str(repository),
        "commit": state.facts["commit"],
        "branch": "work",
        "dirty": False,
    }
    assert state.patch == b""


def test_a_detached_head_has_no_branch(repository):
    run_git(repository, "checkout", "-q", "--detach")
    assert git_state(repository).facts["branch"] is None


def test_the_patch_makes_of_the_commit_what_was_there(repository, tmp_path):
    (repository / "a.py").write_bytes("zwei ü\n".encode("latin-1"))
    (repository / "b.bin").write_bytes(bytes(range(256)))
    run_git(repository, "add", "b.bin")
    run_git(repository, "config", "color.ui", "always")
    run_git(repository, "config", "diff.noprefix", "true")
    state = git_state(repository)
    assert state.facts["dirty"]
    assert state.facts["patch"]["bytes"] == len(state.patch)
    assert not state.facts["patch"]["cut_off"]
    copy = tmp_path / "copy"
    run_git(tmp_path, "clone", "-q", str(repository), str(copy))
    (tmp_path / "dirty.patch").write_bytes(state.patch)
    run_git(copy, "apply", str(tmp_path / "dirty.patch"))
    assert (copy / "a.py").read_bytes() == (repository / "a.py").read_bytes()
    assert (copy / "b.bin").read_bytes() == bytes(range(256))


def test_a_large_patch_is_cut_off_and_says_so(repository, monkeypatch):
    monkeypatch.setattr(git, "MOST_PATCH_BYTES", 1000)
    (repository / "a.py").write_text("x" * 10_000_000)
    state = git_state(repository)
    assert len(state.patch) == 1000
    assert state.facts["patch"]["cut_off"]


def test_untracked_files_are_named_up_to_fifty_and_do_not_make_it_dirty(repository):
    for number in range(60):
        (repository / f"new file {number}").touch()
    facts = git_state(repository).facts
    assert not facts["dirty"]
    assert facts["untracked_count"] == 60
    assert len(facts["untracked"]) == 50
    assert "new file 0" in facts["untracked"]


def test_the_state_of_a_repository_runs_none_of_its_programs(repository, tmp_path):
    trap = tmp_path / "trap"
    ran = tmp_path / "ran"
    trap.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    trap.chmod(0o755)
    (repository / ".gitattributes").write_text("*.py diff=trap\n")
    for key in ("core.fsmonitor", "diff.external", "diff.trap.command", "diff.trap.textconv"):
        run_git(repository, "config", key, str(trap))
    (repository / "a.py").write_text("two\n")
    ran.unlink(missing_ok=True)
    assert b"+two" in git_state(repository).patch
    assert not ran.exists()


def test_a_lock_that_another_git_holds_does_not_matter(repository):
    lock = Path(repository / ".git" / "index.lock")
    lock.touch()
    (repository / "a.py").write_text("two\n")
    assert git_state(repository).facts["dirty"]
    assert lock.exists()
