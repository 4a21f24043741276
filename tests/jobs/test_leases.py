import random

import pytest

from dlrun.config.needs_schema import mebibytes
from dlrun.errors import ConfigError
from dlrun.jobs.leases import PRETENDED, Box, Needs, choose_gpus, gpus_there, variables_of

M = {"a": 10, "b": 12, "c": 1}
GPUS = ["GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44"]


@pytest.mark.parametrize(
    ("box", "needs", "taken", "lease"),
    [
        (Box(("a", "b")), Needs(), {"a"}, ["b"]),
        (Box(("a", "b")), Needs(), {"a", "b"}, None),
        (Box(("a", "b")), Needs(), {"a#1"}, ["b"]),
        (Box(("a",)), Needs(), {"a#1"}, None),
        (Box(("a", "b"), per_gpu=2), Needs(), {"a#0"}, ["b#0"]),
        (Box(("a", "b"), per_gpu=2), Needs(), {"a#0", "b#0"}, ["a#1"]),
        (Box(("a", "b"), per_gpu=2), Needs(), {"a#1", "b#0", "b#1"}, ["a#0"]),
        (Box(("a",), per_gpu=2), Needs(), {"a"}, None),
        (Box(("a",), per_gpu=2), Needs(), {"a#0", "a#2"}, None),
        (Box(("a", "b"), per_gpu=2), Needs(alone=True), {"a#0"}, ["b"]),
        (Box(("a", "b"), per_gpu=2), Needs(alone=True), {"a#0", "b#1"}, None),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=6), set(), ["b#0:6"]),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=6), {"b#0:6"}, ["a#0:6"]),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=6), {"b#0:6", "a#0:6"}, ["b#1:6"]),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=6), {"b#1:6", "a#0:6"}, ["b#0:6"]),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=5), {"b#0:6", "b#1:6", "a#0:6"}, None),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=4), {"b#0:6", "b#1:6", "a#0:6"}, ["a#1:4"]),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=1), {"a", "b"}, None),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=12), {"b"}, None),
        (Box(("a", "b"), memory=M), Needs(), {"a#0:1"}, ["b"]),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=6, alone=True), {"b#0:1"}, ["a"]),
        (Box(("a", "b"), memory=M, per_gpu=2), Needs(gpu_memory=6), {"a#0", "b#0"}, ["b#1:6"]),
        (Box(("a", "b"), memory=M, per_gpu=2), Needs(gpu_memory=6), {"b#0", "b#1"}, ["a#0:6"]),
        (Box(("a", "b"), memory=M, per_gpu=2), Needs(), {"b#0:7", "a#0:5"}, ["a#1"]),
        (Box(("a", "b"), memory=M, per_gpu=2), Needs(), {"b#0:7", "a#0:6"}, None),
        (Box(("a", "b", "c")), Needs(gpus=2), {"b#0"}, ["a", "c"]),
        (Box(("a", "b", "c")), Needs(gpus=2), {"a", "b"}, None),
        (Box(("a", "b", "c"), per_gpu=2, memory=M), Needs(gpus=3, gpu_memory=1), set(), ["a", "b", "c"]),
        (Box(("a",), memory=M, cores=2), Needs("cpu", gpu_memory=99, gpus=9), {"a"}, ["core-0"]),
        (Box(cores=2), Needs(gpu_memory=99, gpus=9), {"core-0"}, ["core-1"]),
        (Box(("a",), pool="ray"), Needs(), {"ray-0", "ray-2"}, ["ray-1"]),
        (Box(("a",), cores=2), Needs("cpu"), {"a"}, ["core-0"]),
        (Box(cores=4), Needs(threads=2), {"core-0"}, ["core-1", "core-2"]),
        (Box(cores=4), Needs(threads=2), {"core-0", "core-1", "core-3"}, None),
        (Box(cores=4), Needs("gpu", threads=9), set(), ["core-0", "core-1", "core-2", "core-3"]),
        (Box(cores=4), Needs(threads=9), {"core-2"}, None),
        (Box(cores=2), Needs(alone=True), {"core-1"}, None),
        (Box(cores=2), Needs(alone=True), set(), ["core-0", "core-1"]),
        (Box(cores=1, at_once=3), Needs(), {"core-0", "core-1"}, ["core-2"]),
    ],
)
def test_a_lease_never_takes_what_is_taken(box, needs, taken, lease):
    assert box.lease(needs, taken) == lease


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        (None, GPUS),
        ("all", GPUS),
        ("none", []),
        ("0-2", GPUS[:3]),
        ("3, 1", [GPUS[3], GPUS[1]]),
        ("0-1,1", GPUS[:2]),
        ("GPU-b,GPU-aa22", [GPUS[2], GPUS[1]]),
    ],
)
def test_gpus_are_chosen_by_number_or_by_name(text, chosen):
    assert choose_gpus(text, GPUS) == tuple(chosen)


@pytest.mark.parametrize("text", ["4", "2-4", "GPU-aa", "x", ""])
def test_a_gpu_that_is_not_there_is_told(text):
    with pytest.raises(ConfigError, match="there is no GPU"):
        choose_gpus(text, GPUS)


@pytest.mark.parametrize(
    ("box", "needs", "enough"),
    [
        (Box(("a", "b"), memory=M), Needs(gpu_memory=12), None),
        (Box(("a", "b"), memory=M), Needs(gpu_memory=13), "12 MiB of a GPU"),
        (Box(("a", "b")), Needs(gpu_memory=1), "GPUs whose memory cannot be told"),
        (Box(("a", "b"), memory=M), Needs(gpus=3), "2 GPUs"),
        (Box(("a",), memory=M), Needs(gpus=2), "1 GPU"),
        (Box(("a",), memory=M), Needs("cpu", gpus=2, gpu_memory=99), None),
        (Box(cores=2), Needs(gpus=2, gpu_memory=99), None),
        (Box(tuple("abcd"), pool="ray", node_gpus=2), Needs(gpus=3), "2 GPUs"),
    ],
)
def test_a_run_that_needs_more_than_there_ever_is_is_known(box, needs, enough):
    assert box.never(needs) == enough


def test_whatever_comes_and_goes_no_gpu_lends_more_than_it_has():
    box = Box(tuple(M), per_gpu=2, memory=M)
    chance, leases, most = random.Random(1), [], 0
    for _ in range(1000):
        taken = [name for lease in leases for name in lease]
        needs = Needs(
            gpu_memory=chance.choice([0, 1, 4, 7]), gpus=chance.choice([1, 1, 1, 2]), alone=chance.random() < 0.1
        )
        lease = box.lease(needs, taken) if chance.random() < 0.7 else None
        if lease:
            leases.append(lease)
        elif leases:
            leases.pop(chance.randrange(len(leases)))
        for gpu, memory in M.items():
            names = [name for one in leases for name in one if name.partition("#")[0] == gpu]
            assert len(names) == len(set(names))
            assert gpu not in names or names == [gpu]
            parts = [name.partition("#")[2].partition(":") for name in names if name != gpu]
            assert sum(float(stated or memory / 2) for _, _, stated in parts) <= memory
            most = max(most, len(parts))
    assert most > 2


@pytest.mark.parametrize(
    ("text", "found"),
    [("6GB", 5722), ("6 GiB", 6144), ("1.5GiB", 1536), ("800MB", 762), ("7MiB", 7), ("", 0), ("6", 0)],
)
def test_memory_is_counted_in_mebibytes(text, found):
    assert mebibytes(text) == found
    assert 4 * mebibytes("4GB") <= mebibytes("16GB")


def test_as_many_runs_go_together_as_fit():
    box = Box(("a", "b"), memory=M)
    assert box.together([Needs()] * 5) == 2
    assert box.together([Needs(gpu_memory=3)] * 9) == 7
    assert box.together([Needs(gpu_memory=3)] * 4) == 4
    assert box.together([]) == 0


def test_a_run_sees_its_gpus_only_and_on_cores_none():
    shared = variables_of(["GPU-aa11#1:600"])
    assert (shared["CUDA_VISIBLE_DEVICES"], shared["TF_FORCE_GPU_ALLOW_GROWTH"]) == ("GPU-aa11", "true")
    assert variables_of(["GPU-aa11", "GPU-b"])["CUDA_VISIBLE_DEVICES"] == "GPU-aa11,GPU-b"
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in variables_of(["GPU-aa11"])
    assert variables_of(["core-0", "core-1"])["CUDA_VISIBLE_DEVICES"] == "-1"


def test_the_environment_limits_the_gpus_that_are_lent(monkeypatch):
    monkeypatch.setattr("dlrun.jobs.leases.nvidia_memory", lambda: dict.fromkeys(GPUS, 80))
    assert list(gpus_there({})) == GPUS
    assert list(gpus_there({"CUDA_VISIBLE_DEVICES": "2,GPU-aa11"}).items()) == [(GPUS[2], 80), (GPUS[0], 80)]
    assert gpus_there({"CUDA_VISIBLE_DEVICES": "-1"}) == {}
    assert gpus_there({PRETENDED: "p:2GiB,q", "CUDA_VISIBLE_DEVICES": "0"}) == {"p": 2048, "q": 0}
