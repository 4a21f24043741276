"""Runs that are followed on a node, with a stand-in for Ray: calls of an actor are those of a Runner in this process,
whose folder is another one, as on a machine of its own.
"""

import json
import sys
import time
from types import SimpleNamespace

import pytest

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.jobs import ray_run
from dlrun.jobs.endings import NODE_LOST, output_of
from dlrun.jobs.entries import Entry
from dlrun.jobs.job import Job
from dlrun.jobs.leases import Box
from dlrun.jobs.ray_engine import RayEngine
from dlrun.jobs.ray_run import Copy, RayRun
from dlrun.jobs.ray_runner import Runner
from dlrun.jobs.starting import LOST
from dlrun.run_dir import RunDir

REST = {
    **{"state": "running", "paused": False, "cancelled": False, "alone": False, "crashes": 0, "added": 0.0},
    **dict.fromkeys(("failure", "message", "owner", "process", "began", "ended")),
    "lease": ["ray-0"],
}


class ActorError(Exception):
    """In place of `ray.exceptions.RayActorError`."""


class UnavailableError(ActorError):
    """In place of `ray.exceptions.ActorUnavailableError`."""


class Actor:
    """A Runner whose methods are called at once; an exception in `raising` is raised in place of such a call."""

    def __init__(self, runner):
        self._runner, self.raising, self.called = runner, {}, []

    def __getattr__(self, name):
        def remote(*arguments):
            self.called.append(name)
            if self.raising.get(name):
                raise self.raising[name].pop()
            return getattr(self._runner, name)(*arguments)

        return SimpleNamespace(remote=remote)


@pytest.fixture
def killed(monkeypatch):
    """A stand-in for the module `ray`; the actors that were killed."""
    actors = []
    ray = SimpleNamespace(
        exceptions=SimpleNamespace(RayActorError=ActorError, ActorUnavailableError=UnavailableError),
        get=lambda value: value,
        wait=lambda refs, timeout: (refs, []),
        kill=actors.append,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_run, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(ray_run, "BRING_SECONDS", 0.0)
    return actors


@pytest.fixture
def job(digits, tmp_path):
    folder = tmp_path / "here" / "digits"
    folder.mkdir(parents=True)
    job = Job(folder / "run-1.yaml", folder / "run-1", again=True)
    job.config_file.write_text(dump_config(digits()))
    return job


@pytest.fixture
def actor(tmp_path):
    return Actor(Runner(str(tmp_path / "node" / "digits"), "run-1", "token", gpu=False))


def follow(job, actor, *command):
    run = RayRun(job, command, lambda: actor)
    run.go()
    run._thread.join(60)
    assert run.poll() is not None
    return run.poll()


def shell(actor, script):
    return "/bin/sh", "-c", f'cd "$0"; {script}', str(actor._runner._folder)


COMPLETE = """mkdir -p run-1/checkpoint/000002; cd run-1; echo weights > checkpoint/000002/arrays
    echo '{"format": 1, "status": "completed"}' > run.json; touch empty; echo said"""


def test_a_run_is_brought_back_and_leaves_nothing_on_the_node(job, actor, killed, tmp_path):
    assert follow(job, actor, *shell(actor, f"test -f run-1.yaml || exit 9; {COMPLETE}")) == 0
    assert RunDir(job.run_dir).status() == "completed"
    assert (job.run_dir / "checkpoint" / "000002" / "arrays").read_text() == "weights\n"
    assert (job.run_dir / "empty").read_bytes() == b""
    assert output_of(job.run_dir).read_text().splitlines()[1:] == ["said"]
    assert [path.name for path in (tmp_path / "node").rglob("*")] == ["digits", ".ray"]
    assert sorted(path.name for path in job.run_dir.parent.iterdir()) == [".ray", "run-1", "run-1.out", "run-1.yaml"]
    assert killed == [actor]


def test_a_run_that_goes_on_finds_what_it_had_and_what_it_removes_is_removed(job, actor, killed, monkeypatch):
    monkeypatch.setattr(ray_run, "PIECE_BYTES", 3)
    old = job.run_dir / "checkpoint" / "000001" / "arrays"
    old.parent.mkdir(parents=True)
    old.write_text("old weights")
    (job.run_dir / "run.json").write_text('{"format": 1, "status": "interrupted"}')
    output_of(job.run_dir).write_text("before\n")
    script = (
        f'test "$(cat run-1/checkpoint/000001/arrays)" = "old weights" || exit 9; rm -r run-1/checkpoint; {COMPLETE}'
    )
    assert follow(job, actor, *shell(actor, script)) == 0
    assert [path.name for path in (job.run_dir / "checkpoint").iterdir()] == ["000002"]
    assert RunDir(job.run_dir).status() == "completed"
    assert [line for line in output_of(job.run_dir).read_text().splitlines() if "on " not in line] == ["before", "said"]


def test_only_what_has_changed_travels_and_the_record_comes_last(job, actor, killed):
    runner = actor._runner
    runner.begin()
    copy = Copy(job, actor)
    for name in ("run.json", "history.csv", "checkpoint/000001/arrays"):
        runner.write(f"run-1/{name}", 0, b"1")
    read = []
    monkey, runner.read = runner.read, lambda name, *rest: read.append(name) or monkey(name, *rest)
    copy.bring()
    assert sorted(read) == ["checkpoint/000001/arrays", "history.csv", "run.json"]
    read.clear()
    for name in ("run.json", "history.csv", "checkpoint/000002/arrays"):
        runner.write("new", 0, b"1")
        runner._run_dir.joinpath(name).parent.mkdir(exist_ok=True)
        runner._folder.joinpath("new").replace(runner._run_dir / name)
    copy.bring()
    assert read == ["checkpoint/000002/arrays", "history.csv", "run.json"]
    runner._run_dir.joinpath("new").write_text("2")
    runner._run_dir.joinpath("new").replace(runner._run_dir / "history.csv")
    copy.bring()
    assert read[3:] == ["history.csv"]
    assert (job.run_dir / "history.csv").read_text() == "2"


def test_a_folder_that_only_seems_to_be_another_is_left_alone(job, killed):
    runner = Runner(str(job.run_dir.parent), "run-1", "not seen", gpu=False)
    assert follow(job, Actor(runner), *shell(Actor(runner), "mkdir run-1; echo 1 > run-1/run.json")) == 0
    assert (job.run_dir / "run.json").exists()
    runner.clean()
    assert (job.run_dir / "run.json").exists()
    assert job.config_file.exists()


def test_the_last_snapshot_is_asked_for_until_it_is_here(job, actor, killed):
    actor.raising["snapshot"] = [UnavailableError("socket closed")]
    assert follow(job, actor, *shell(actor, COMPLETE)) == 0
    assert RunDir(job.run_dir).status() == "completed"


def test_a_run_comes_the_first_time_as_a_whole(job, actor, killed):
    runner = actor._runner
    runner.begin()
    job.run_dir.mkdir()
    (job.run_dir / "config.yaml").write_text("of a process that died before the run began")
    copy = Copy(job, actor)
    runner.write("run-1/config.yaml", 0, b"1")
    copy.bring()
    assert [path.name for path in job.run_dir.iterdir()] == ["config.yaml"]
    runner.write("run-1/run.json", 0, b"1")
    runner.write("run-1/checkpoint/state", 0, b"1")
    actor.raising["read"] = [UnavailableError("gone")]
    with pytest.raises(UnavailableError):
        copy.bring()
    assert not (job.run_dir / "checkpoint").exists()
    assert not (job.run_dir / "run.json").exists()
    copy.bring()
    assert (job.run_dir / "config.yaml").read_text() == "1"
    assert (job.run_dir / "checkpoint" / "state").exists()


def test_what_was_brought_stays_when_the_node_is_lost_and_the_run_counts_as_interrupted(job, actor, killed):
    running = {"format": 1, "status": "running", "process": {"pid": 1, "host": "elsewhere", "start": 1}}
    script = f"mkdir run-1; echo '{json.dumps(running)}' > run-1/run.json; sleep 60"

    class Lost(Actor):
        def __getattr__(self, name):
            if name == "wait" and job.status() == "running":
                raise ActorError("The actor died.\nIts node has died. Node Id: 1\n  no heartbeat")
            return super().__getattr__(name)

    lost = Lost(actor._runner)
    assert follow(job, lost, *shell(actor, script)) == NODE_LOST
    assert (job.status(), job.elsewhere) == ("interrupted", False)
    assert output_of(job.run_dir).read_text().endswith("[ray] no heartbeat\n")
    actor._runner._process.kill()


def test_an_actor_that_dies_by_itself_is_a_crash(job, actor, killed):
    actor.raising["start"] = [ActorError("its process was killed")]
    assert follow(job, actor, "true") == LOST


def test_a_network_that_is_away_for_a_while_is_waited_for(job, actor, killed):
    actor.raising["wait"] = [UnavailableError("socket closed")] * 2
    assert follow(job, actor, *shell(actor, COMPLETE)) == 0
    assert actor.called.count("wait") > 2


def test_what_cannot_be_done_on_the_node_is_told_as_an_error_of_the_run(job, actor, killed):
    actor.raising["begin"] = [PermissionError(13, "Permission denied", "/home/else")]
    assert follow(job, actor, "true") == 1
    assert "error: PermissionError: [Errno 13] Permission denied: '/home/else'" in output_of(job.run_dir).read_text()
    assert killed == [actor]


def test_a_run_is_asked_once_to_stop_and_its_checkpoint_is_brought(job, actor, killed):
    stop = "trap 'echo stopped > run-1/run.json; exit 75' TERM; mkdir run-1; while :; do sleep 0.05; done"
    run = RayRun(job, shell(actor, stop), lambda: actor)
    run.go()
    end = time.monotonic() + 60
    while "wait" not in actor.called and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.3)
    run.terminate()
    run._thread.join(60)
    assert (run.poll(), (job.run_dir / "run.json").read_text()) == (75, "stopped\n")
    assert actor.called.count("terminate") == 1


def test_a_run_that_waits_for_room_is_taken_back(job, actor, killed, monkeypatch):
    monkeypatch.setattr(sys.modules["ray"], "wait", lambda refs, timeout: time.sleep(timeout) or ([], refs))
    run = RayRun(job, ["true"], lambda: actor)
    run.go()
    run.terminate()
    run._thread.join(60)
    assert (run.poll(), killed, "start" in actor.called) == (75, [actor], False)


def test_plugins_travel_with_the_config(job, actor, killed, digits, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("import dlrun\n\n\n@dlrun.model('mine')\ndef mine(spec, *, units: int = 2):\n    pass\n")
    job.config_file.write_text(dump_config(digits(plugins=[str(plugin)], model="mine")))
    script = "cat run-1.plugins/0/mine.py && grep plugins run-1.yaml"
    assert follow(job, actor, *shell(actor, script)) == 0
    (kept,) = load_config(job.config_file).plugins
    assert kept == job.run_dir.parent / "run-1.plugins" / "0" / "mine.py"
    assert kept.read_text() == plugin.read_text()
    printed = output_of(job.run_dir).read_text()
    assert "@dlrun.model('mine')" in printed
    assert str(kept) in printed


@pytest.mark.parametrize(
    ("box", "asked", "kept"),
    [
        (Box(cores=12, node_cores=4), {"threads": 3}, {"num_cpus": 3}),
        (Box(cores=12, node_cores=4), {"threads": 8}, {"num_cpus": 4}),
        (Box(cores=12, node_cores=4), {"alone": True}, {"num_cpus": 4}),
        (Box(("a",), memory={"a": 0}), {}, {"num_cpus": 1, "num_gpus": 1}),
        (Box(("a",), memory={"a": 0}), {"device": "cpu"}, {"num_cpus": 1}),
        (Box(("a",), per_gpu=4, memory={"a": 0}), {}, {"num_cpus": 1, "num_gpus": 0.25}),
        (Box(("a",), per_gpu=4, memory={"a": 0}), {"alone": True}, {"num_cpus": 1, "num_gpus": 1}),
        (Box(("a",), memory={"a": 9000}), {"gpu_memory": 3000}, {"num_cpus": 1, "num_gpus": 0.3334}),
        (Box(("a", "b"), memory={"a": 9000, "b": 9000}), {"gpus": 2}, {"num_cpus": 1, "num_gpus": 2}),
    ],
)
def test_ray_keeps_for_a_run_what_it_needs(box, asked, kept):
    entry = Entry(1, "x", "x/a", "a", **{"device": "auto", "threads": 1, "backend": "tensorflow", **REST, **asked})
    assert RayEngine(box)._resources(entry) == kept
