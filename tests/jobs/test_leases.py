import pytest

from dlrun.errors import ConfigError
from dlrun.jobs.leases import PRETENDED, Box, Needs, choose_gpus, gpus_there, variables_of

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


def test_a_run_sees_its_gpu_only_and_on_cores_none():
    assert variables_of(["GPU-aa11#1"])["CUDA_VISIBLE_DEVICES"] == "GPU-aa11"
    assert variables_of(["core-0", "core-1"])["CUDA_VISIBLE_DEVICES"] == "-1"


def test_the_environment_limits_the_gpus_that_are_lent(monkeypatch):
    monkeypatch.setattr("dlrun.jobs.leases._from_driver", lambda: GPUS)
    assert gpus_there({}) == GPUS
    assert gpus_there({"CUDA_VISIBLE_DEVICES": "2,GPU-aa11"}) == [GPUS[2], GPUS[0]]
    assert gpus_there({"CUDA_VISIBLE_DEVICES": "-1"}) == []
    assert gpus_there({PRETENDED: "p,q", "CUDA_VISIBLE_DEVICES": "0"}) == ["p", "q"]
