from pathlib import Path

import pytest

from dlrun.config.dumping import dump_config
from dlrun.jobs.entries import Request
from dlrun.jobs.queue import Queue
from dlrun.jobs.ray_engine import RayEngine, cluster_box, connect
from dlrun.jobs.working import Orders, work
from dlrun.processes import alive
from dlrun.run_dir import RunDir

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="needs dlrun[ray]")


@pytest.fixture
def cluster(monkeypatch):
    """Three nodes: one for Ray itself and two with one core each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    soon = {"health_check_period_ms": 500, "health_check_initial_delay_ms": 500, "health_check_failure_threshold": 3}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": soon}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.two = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster
    cluster.shutdown()


def queued(queue, config, count):
    """The same run so many times."""
    (queue.folder / "digits").mkdir(exist_ok=True)
    for number in range(count):
        (queue.folder / f"digits/run-{number}.yaml").write_text(dump_config(config))
    return queue.add([Request("digits", f"digits/run-{number}", f"{number}") for number in range(count)])


def test_a_run_whose_node_is_lost_goes_on_elsewhere_and_ends_as_if_nothing_was(cluster, digits, outputs):
    queue = Queue(outputs)
    training = {"epochs": 400, "batch_size": 32, "tensorboard": False, "checkpoint_every_seconds": 0}
    queued(queue, digits(training=training, runtime={"threads": 1, "device": "cpu"}), 3)
    killed = []

    def kill_a_node(entries):
        runs = [RunDir(queue.job(entry).run_dir) for entry in entries[:2]]
        if not killed and all(run.checkpoint.exists() and run.epochs_begun() > 20 for run in runs):
            killed.extend(run.record()["process"] for run in runs)
            cluster.remove_node(cluster.two.pop(), allow_graceful=False)

    connect(cluster.address)
    box = cluster_box(None, 1)
    assert (box.cores, box.at_once, box.threads(1)) == (2, 2, 1)
    entries = work(queue, box, Orders(engine=RayEngine(box)), kill_a_node)
    runs = [RunDir(queue.job(entry).run_dir) for entry in entries]
    assert [run.status() for run in runs] == ["completed"] * 3
    assert sorted(entry.crashes for entry in entries[:2]) == [0, 1]
    assert sorted(len(run.record()["sessions"]) for run in runs) == [1, 1, 2]
    assert "node was terminated" in "".join(Path(f"{run.path}.out").read_text() for run in runs)
    assert not any(map(alive, killed))
    assert len({run.history_file.read_bytes() for run in runs}) == 1
    assert not list(outputs.glob("*/.ray-*"))
