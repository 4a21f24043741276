import shutil
from pathlib import Path

import pytest

from dlrun.analysis.reasons import reasons
from dlrun.run_dir import RunDir


@pytest.fixture
def pair(digits_run, tmp_path):
    """Two copies of one run, which a test may make different; no git, which changes while dlrun is edited."""
    copies = [RunDir(Path(shutil.copytree(digits_run.path, tmp_path / name))) for name in ("then", "now")]
    for copy in copies:
        copy.update(git=[], threads=1)
    return copies


def git_of_dlrun(commit, patch=None):
    return [{"commit": "0" * 40, "of": ["config"]}, {"commit": commit * 40, "of": ["dlrun"], "patch": patch}]


def test_equal_runs_of_one_place_must_be_equal(pair):
    assert reasons(*pair) == []


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({"versions": {"keras": "3.0"}}, {"versions": {"keras": "3.1"}}, "keras: 3.0 then, 3.1 now"),
        ({"versions": {"jax": "0.1"}}, {"versions": {}}, "jax: 0.1 then, absent now"),
        ({"device": "CPU", "threads": 2}, {"device": "CPU", "threads": 1}, "threads: 2 then, 1 now"),
        ({"machine": {"cpu": "A"}}, {"machine": {"cpu": "B"}}, "processor: A then, B now"),
        ({"machine": {"host": "a"}}, {"machine": {"host": "b"}}, None),
        ({"variables": {}}, {"variables": {"XLA_FLAGS": "x"}}, "variable XLA_FLAGS: absent then, x now"),
        ({"variables": {}}, {"variables": {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"}}, None),
        ({"git": git_of_dlrun("a")}, {"git": git_of_dlrun("b")}, "commit of dlrun: aaaaaaaaaa then, bbbbbbbbbb now"),
        (
            {"git": git_of_dlrun("a")},
            {"git": git_of_dlrun("a", {"sha256": "c" * 64})},
            "uncommitted changes of dlrun: none then, cccccccccc now",
        ),
        ({"git": None}, {"git": git_of_dlrun("b")}, None),
        ({}, {"threads": 4096}, "4096 threads on"),
        ({"sessions": [{}, {"versions": {}}]}, {}, "it went on, in its session 2, with other versions"),
        ({"sessions": [{}, {"command": ["dlrun"]}]}, {}, None),
        (
            {"resume": {"exact": False, "reasons": ["Mine keeps a file"]}, "sessions": [{}, {}]},
            {},
            "not exactly: Mine keeps a file",
        ),
        ({"resume": {"exact": True, "reasons": []}}, {}, None),
        ({"resume": {"exact": False, "reasons": ["x"]}, "sessions": [{"started": "now"}]}, {}, None),
        ({"versions": 3, "machine": [], "variables": "x", "sessions": 1, "resume": [], "git": "x"}, {}, None),
    ],
)
def test_what_is_not_the_same_is_told(pair, then, now, told):
    for run, fields in zip(pair, (then, now), strict=True):
        run.update(**fields)
    found = reasons(*pair)
    assert (found == []) if told is None else any(told in line for line in found)


def test_a_gpu_without_deterministic_operations_promises_nothing(pair):
    for run in pair:
        run.update(device="NVIDIA H200")
        text = run.config_file.read_text()
        changed = text.replace("deterministic: true", "deterministic: false")
        run.config_file.write_text(changed.replace("jit_compile: false", "jit_compile: true"))
    told = reasons(*pair)
    assert [line.split()[0] for line in told] == ["runtime.deterministic", "XLA"]


def test_another_mode_is_told_and_determinism_that_was_off(pair):
    text = pair[0].config_file.read_text()
    changed = text.replace("deterministic: true", "deterministic: false")
    pair[0].config_file.write_text(changed.replace("execution: whole_epoch", "execution: stepwise"))
    assert reasons(*pair) == [
        "runtime.deterministic: False then, True now",
        "runtime.execution: stepwise then, whole_epoch now",
    ]
