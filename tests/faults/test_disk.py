"""Disks that are full, slow to say so, or read-only. `make faults` fails every single change of a file."""

import errno
import os
import shutil
import subprocess

import pytest
from cases import differences
from failing import fail_and_resume, no_space, refuse
from fork_server import FORKS, ForkServer
from killing import go_on, is_complete

from dlrun.run_dir import RunDir


@pytest.mark.parametrize(
    "change",
    [
        "open checkpoint/.000002-000004.tmp/arrays.npz",
        pytest.param("open .config.yaml", marks=pytest.mark.slow),
        pytest.param("fsync checkpoint/.000003.tmp/state.json", marks=pytest.mark.slow),
        pytest.param("rename .last.tmp.keras", marks=pytest.mark.slow),
        pytest.param("open .metrics.json", marks=pytest.mark.slow),
        pytest.param("open .run.json", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_is_full_fails_the_run_which_goes_on_when_there_is_space(server, whole, path, change):
    story = fail_and_resume(server, whole(), path, refuse(whole(), whole().change(change)), no_space())
    assert story.kills == 1
    assert story.equal, story


@pytest.mark.slow
def test_a_folder_that_becomes_read_only_fails_the_run(server, whole, path):
    fault = refuse(whole(), whole().change("open .history.csv"), errno.EROFS)
    story = fail_and_resume(server, whole(), path, fault, os.strerror(errno.EROFS))
    assert story.equal, story


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run.json", "best.keras"])
def test_a_file_that_may_not_grow_fails_the_run(server, whole, path, name):
    fault = {"largest_file": (whole().path / name).stat().st_size - 1}
    story = fail_and_resume(server, whole(), path, fault, os.strerror(errno.EFBIG))
    assert story.kills == 1
    assert story.equal, story


@pytest.fixture
def small_disk(tmp_path):
    """A helper in a name space of its own, and a folder there where it may mount a disk."""
    unshare = shutil.which("unshare")
    probe = [unshare or "false", "-rm", "mount", "-t", "tmpfs", "none", str(tmp_path)]
    if not FORKS or subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("this system lets nobody mount a small disk")
    (tmp_path / "disk").mkdir()
    server = ForkServer(tmp_path, [str(unshare), "-rm"])
    yield server, tmp_path / "disk"
    server.close()


def _mounted(server, disk, size):
    server.shell(f"mount -t tmpfs -o size={size}k none {disk}")
    return server.root / str(disk)[1:]


@pytest.mark.slow
def test_a_small_disk_that_fills_up_and_grows_again(small_disk, whole):
    server, disk = small_disk
    root = _mounted(server, disk, 4)
    outcomes = set()
    for size in (8, 24, 48, 96, 192, 320):
        server.shell(f"mount -o remount,size={size}k {disk}")
        ended = go_on(server, whole(), disk / "run", {}, seen_from=root)
        assert "Traceback" not in ended.text
        if ended.code == 0:
            break
        outcomes.add(RunDir(root / "run").status() if (root / "run" / "run.json").exists() else "not begun")
        assert no_space() in ended.text
    assert {"not begun", "failed"} & outcomes
    server.shell(f"mount -o remount,size=64m {disk}")
    if not is_complete(root / "run"):
        assert go_on(server, whole(), disk / "run", {}, seen_from=root).code == 0
    assert differences(whole().path, root / "run") == []


@pytest.mark.slow
def test_a_disk_that_turns_read_only_and_writable_again(small_disk, whole):
    server, disk = small_disk
    root = _mounted(server, disk, 65536)
    assert (
        go_on(server, whole(), disk / "run", {"kill": {"epoch": 2, "signals": ["SIGTERM"]}}, seen_from=root).code == 75
    )
    server.shell(f"mount -o remount,ro {disk}")
    for argv, code in (
        (["show", disk / "run"], 0),
        (["train", "--resume", disk / "run"], 1),
        (["evaluate", disk / "run"], 1),
    ):
        ended = server.run(*argv, cwd=disk)
        assert ended.code == code, ended.text
        assert code == 0 or os.strerror(errno.EROFS) in ended.text
    assert RunDir(root / "run").record()["status"] == "interrupted"
    server.shell(f"mount -o remount,rw {disk}")
    assert go_on(server, whole(), disk / "run", {}, seen_from=root).code == 0
    assert differences(whole().path, root / "run") == []
