import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlrun.jobs.ray_runner import PYTHON, Runner
from dlrun.processes import alive, process_of

RUN = "run-1"
# Two files that say the same but between two writings; they are replaced, as those of a run are.
REPLACING = """
import os, sys
os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); open(".lock", "w").close(); open(".x.tmp", "w").close()
number = 0
while True:
    number += 1
    for name in ("first", "second"):
        with open("half", "w") as stream:
            stream.write(str(number))
        os.replace("half", name)
"""


@pytest.fixture
def folder(tmp_path):
    """A folder that the node does not share."""
    return tmp_path / "outputs" / "digits"


def begun(folder, *, gpu=False):
    runner = Runner(str(folder), RUN, "token", gpu=gpu)
    mark = runner.begin()
    assert (folder / ".ray" / mark).exists()
    return runner


def start(runner, script, *arguments, told=None):
    runner.start(["/bin/sh", "-c", script, "sh", *arguments], told or {}, "/nowhere")
    return process_of(runner._process.pid)


def ended(runner):
    return next(code for code in iter(lambda: runner.wait(60), "never"))


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_folder_is_shared_where_the_token_is_seen(tmp_path):
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "token").touch()
    runner = Runner(str(tmp_path), RUN, "token", gpu=False)
    assert runner.begin() is None
    (tmp_path / RUN).mkdir()
    runner.clean()
    assert (tmp_path / RUN).exists()


def test_a_copy_is_removed_at_the_end_and_before_the_next_and_nothing_else_is(folder):
    begun(folder).write(f"{RUN}/checkpoint/state", 0, b"old")
    assert (folder / RUN / "checkpoint" / "state").read_bytes() == b"old"
    runner = begun(folder)
    assert not (folder / RUN).exists()
    (folder / "other").mkdir()
    (folder / f"{RUN}0").mkdir()
    runner.write(f"{RUN}.yaml", 0, b"ab")
    runner.write(f"{RUN}.yaml", 2, b"cd")
    assert (folder / f"{RUN}.yaml").read_bytes() == b"abcd"
    runner.clean()
    assert sorted(path.name for path in folder.iterdir()) == [".ray", "other", "run-10"]
    assert not list((folder / ".ray").iterdir())


def test_a_run_that_lies_there_and_is_no_copy_is_left_alone(folder):
    (folder / RUN).mkdir(parents=True)
    with pytest.raises(FileExistsError, match="no other run has brought it here"):
        Runner(str(folder), RUN, "token", gpu=False).begin()
    assert (folder / RUN).exists()


@pytest.mark.parametrize(
    ("gpu", "of_ray", "seen"), [(True, "1,3", "1,3"), (False, "1,3", "-1"), (False, None, "-1"), (True, "", "-1")]
)
def test_a_run_sees_the_gpus_that_ray_gave_it_and_no_other(folder, monkeypatch, gpu, of_ray, seen):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if of_ray is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", of_ray)
    runner = begun(folder, gpu=gpu)
    start(runner, 'echo "$CUDA_VISIBLE_DEVICES"')
    assert ended(runner) == 0
    assert runner.printed(0).decode().splitlines()[1:] == [seen]


def test_variables_are_the_submitters_but_the_folder_of_the_data_is_the_nodes(folder, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("DLRUN_DATA", "/node")
    runner = begun(folder)
    told = {"TF_X": "1", "DLRUN_DATA": "/submitter"}
    start(runner, 'echo "$TF_X $DLRUN_DATA ${OMP_NUM_THREADS:-none}"; pwd', told=told)
    assert ended(runner) == 0
    assert runner.printed(0).decode().splitlines()[1:] == ["1 /node none", str(folder)]
    assert runner.printed(len(runner.printed(0))) == b""


def test_a_command_runs_with_the_python_of_the_node(folder):
    runner = begun(folder)
    runner.start([PYTHON, "-c", "import sys; print(sys.executable)"], {}, str(folder))
    assert ended(runner) == 0
    assert sys.executable in runner.printed(0).decode()


def test_a_run_that_is_asked_to_stop_ends_in_its_own_way(folder):
    runner = begun(folder)
    start(runner, 'trap "exit 75" TERM; echo ready; while :; do sleep 0.05; done')
    wait_until(lambda: b"ready" in runner.printed(0))
    assert runner.wait(0.05) is None
    runner.terminate()
    assert ended(runner) == 75


def test_a_snapshot_is_the_run_at_one_moment(folder):
    runner = begun(folder)
    runner.start([sys.executable, "-c", REPLACING, str(folder / RUN)], {}, "/")
    wait_until(lambda: (folder / RUN / "second").exists())
    seen = set()
    for _ in range(50):
        names = runner.snapshot()
        assert {"first", "second"} <= names.keys() <= {"first", "second", "half"}
        first, second = (int(runner.read(name, 0, 99)) for name in ("first", "second"))
        assert first - second in (0, 1)
        seen.add(first)
    assert len(seen) > 10
    os.kill(runner._process.pid, signal.SIGKILL)
    assert ended(runner) == -signal.SIGKILL


def test_a_snapshot_before_the_run_has_begun_is_empty(folder):
    runner = begun(folder)
    start(runner, "sleep 60")
    assert runner.snapshot() == {}
    runner.terminate()
    assert ended(runner) == -signal.SIGTERM


def test_a_run_dies_with_the_process_that_started_it(folder):
    script = (
        "import sys; from dlrun.jobs.ray_runner import Runner\n"
        f"runner = Runner({str(folder)!r}, {RUN!r}, 'token', gpu=False); runner.begin()\n"
        "runner.start(['sleep', '60'], {}, '/'); print(runner._process.pid, flush=True); input()"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process = process_of(int(starter.stdout.readline()))
    assert alive(process)
    starter.kill()
    starter.wait()
    wait_until(lambda: not alive(process))


def test_the_guard_ends_with_the_run_and_kills_nothing_then(folder):
    runner = begun(folder)
    pid = start(runner, "sleep 0.3; exit 3")["pid"]
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: len(children.read_text().split()) == 2)
    several = [process_of(int(child)) for child in children.read_text().split()]
    assert ended(runner) == 3
    wait_until(lambda: not any(map(alive, several)))


def test_the_last_snapshot_is_taken_when_the_run_has_ended(folder):
    runner = begun(folder)
    start(runner, f"mkdir {RUN}; echo done > {RUN}/run.json")
    assert ended(runner) == 0
    names = runner.snapshot()
    assert (names.keys(), runner.read("run.json", 0, 99)) == ({"run.json"}, b"done\n")
