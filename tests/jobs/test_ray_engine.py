import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dlrun.cli import main
from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.jobs import ray_run
from dlrun.jobs.entries import Request
from dlrun.jobs.leases import PRETENDED
from dlrun.jobs.queue import Queue
from dlrun.jobs.ray_engine import RayEngine, cluster_box, connect, leave
from dlrun.jobs.working import Orders, work
from dlrun.processes import alive
from dlrun.run_dir import RunDir

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="needs dlrun[ray]")


PLUGIN = """
import dlrun
import keras


@dlrun.model("mine")
def mine(spec, *, units: int = 16):
    (input_spec,) = spec.inputs.values()
    inputs = keras.Input(input_spec.shape)
    hidden = keras.layers.Dense(units, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))
"""


@pytest.fixture
def head(monkeypatch):
    """A cluster with a node for Ray itself, on which nothing runs."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    soon = {"health_check_period_ms": 500, "health_check_initial_delay_ms": 500, "health_check_failure_threshold": 3}
    args = {"num_cpus": 0, "include_dashboard": False, "_system_config": soon}
    cluster = Cluster(initialize_head=True, head_node_args=args)
    yield cluster
    leave()
    cluster.shutdown()


@pytest.fixture
def cluster(head):
    """Besides, two nodes with one core each."""
    head.two = [head.add_node(num_cpus=1) for _ in range(2)]
    return head


def queued(queue, config, count, gpu_memory=(0, 0, 0)):
    """The same run so many times."""
    (queue.folder / "digits").mkdir(exist_ok=True)
    for number in range(count):
        (queue.folder / f"digits/run-{number}.yaml").write_text(dump_config(config))
    return queue.add(
        [
            Request("digits", f"digits/run-{number}", f"{number}", gpu_memory=gpu_memory[number])
            for number in range(count)
        ]
    )


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_run_whose_node_is_lost_goes_on_elsewhere_and_ends_as_if_nothing_was(cluster, digits, outputs):
    queue, deadline = Queue(outputs), time.monotonic() + 400
    training = {"epochs": 2000, "batch_size": 32, "tensorboard": False, "checkpoint_every_seconds": 0}
    queued(queue, digits(training=training, runtime={"threads": 1, "device": "cpu"}), 3)
    killed = []

    def kill_its_node(entries):
        assert time.monotonic() < deadline
        run = RunDir(queue.job(entries[0]).run_dir)
        if not killed and run.epochs_begun() > 20:
            killed.append(run.record()["process"])
            raylet = parent_of(parent_of(killed[0]["pid"]))  # of the worker that started it
            (node,) = (node for node in cluster.two if node.all_processes["raylet"][0].process.pid == raylet)
            cluster.remove_node(node, allow_graceful=False)

    connect(cluster.address)
    box = cluster_box(None, 1)
    assert (box.cores, box.at_once, box.threads(1)) == (2, 2, 1)
    entries = work(queue, box, Orders(engine=RayEngine(box)), kill_its_node)
    runs = [RunDir(queue.job(entry).run_dir) for entry in entries]
    assert [run.status() for run in runs] == ["completed"] * 3
    assert [entry.crashes for entry in entries] == [1, 0, 0]
    assert [len(run.record()["sessions"]) for run in runs] == [2, 1, 1]
    assert "node was terminated" in Path(f"{runs[0].path}.out").read_text()
    assert not alive(killed[0])
    assert len({run.history_file.read_bytes() for run in runs}) == 1
    assert not list(outputs.glob("*/.ray"))


# The first two runs wait for each other, which they can if both are on the GPU; the third finds itself alone there.
MEETING = """
here=$0; run=${5##*/}; mkdir "$here/$run"; seconds=0
case $run in
run-2) test "$(ls "$here")" = run-2 || exit 9 ;;
*) until test -d "$here/run-0" -a -d "$here/run-1" || test -e "$here/../met"; do
     sleep 0.1; seconds=$((seconds + 1)); test $seconds -lt 600 || exit 8
   done; touch "$here/../met" ;;
esac
sleep 1; rmdir "$here/$run"; mkdir "$5"
printf '{"status": "completed", "gpu": %s}' $CUDA_VISIBLE_DEVICES > "$5/run.json"
"""


def test_runs_share_a_gpu_by_what_they_need_of_it(head, digits, outputs, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(PRETENDED, "a:8GB")
    head.add_node(num_cpus=3, num_gpus=1)
    config = str(tmp_path / "one.yaml")
    Path(config).write_text(dump_config(digits(name="one", needs={"gpu_memory": "9GB"})))
    command = ["batch", config, "--engine", "ray", "--address", head.address, "--outputs", str(outputs)]
    assert main(command) == 2
    assert "at most 7,629 MiB of a GPU" in capsys.readouterr().err
    assert main([*command, "-s", "needs={gpus: 2}"]) == 2
    assert main([*command, "--gpus", "0"]) == 2

    queue = Queue(outputs)
    queued(queue, digits(), 3, gpu_memory=[3814, 3814, 3900])
    (tmp_path / "here").mkdir()
    connect(head.address)
    box = cluster_box(None, 1)
    engine = RayEngine(box, ("/bin/sh", "-c", MEETING, str(tmp_path / "here"), "dlrun"))
    entries = work(queue, box, Orders(engine=engine))
    assert [entry.state for entry in entries] == ["done"] * 3
    assert [RunDir(queue.job(entry).run_dir).record()["gpu"] for entry in entries] == [0] * 3


@contextmanager
def machine_of_its_own(name, address, outputs):
    """A node with a host name and a folder of its own, as far as it can see."""
    script = f"hostname {name} && mount -t tmpfs none {outputs} && exec {sys.executable} -m ray.scripts.scripts start"
    command = ["unshare", "--uts", "--mount", "sh", "-c", f"{script} --address={address} --num-cpus=1 --block"]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        node.terminate()
        node.wait()


@pytest.mark.skipif(subprocess.call("unshare --uts --mount true", shell=True) != 0, reason="needs Linux namespaces")
def test_a_run_comes_back_from_machines_with_folders_of_their_own(head, digits, outputs, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_run, "BRING_SECONDS", 1.0)
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    training = {"epochs": 2000, "batch_size": 32, "tensorboard": False, "checkpoint_every_seconds": 0}
    config = digits(training=training, runtime={"threads": 1, "device": "cpu"}, plugins=[str(plugin)], model="mine")
    queue, deadline = Queue(outputs), time.monotonic() + 400
    (entry,) = queued(queue, config, 1)
    run, seen = RunDir(queue.job(entry).run_dir), []

    def kill_the_first_machine(entries):
        assert time.monotonic() < deadline
        if run.epochs_begun() > 20 and not seen:
            seen.append(run.record()["process"])
            os.kill(parent_of(parent_of(seen[0]["pid"])), signal.SIGKILL)
            machines.enter_context(machine_of_its_own("second", head.address, outputs))

    with ExitStack() as machines:
        machines.enter_context(machine_of_its_own("first", head.address, outputs))
        connect(head.address)
        end = time.monotonic() + 60
        while not ray.cluster_resources().get("CPU") and time.monotonic() < end:
            time.sleep(0.2)
        box = cluster_box(None, 1)
        (entry,) = work(queue, box, Orders(engine=RayEngine(box)), kill_the_first_machine)
        assert (entry.state, entry.crashes, run.status()) == ("done", 1, "completed")
        record = run.record()
        assert [seen[0]["host"], record["process"]["host"]] == ["first", "second"]
        assert [session["status"] for session in record["sessions"]] == ["interrupted", "completed"]
        assert len(run.history()) == 2000
        assert len(list(run.checkpoint.glob("0*"))) <= 2
        assert load_config(run.config_file).plugins[0].read_text() == PLUGIN
