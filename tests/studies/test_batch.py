from pathlib import Path

import pytest

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.errors import ConfigError, JobError, UnknownNameError
from dlrun.jobs.leases import Box
from dlrun.jobs.queue import Queue
from dlrun.run_dir import list_runs
from dlrun.studies import batch


@pytest.fixture
def folder(digits, tmp_path, monkeypatch):
    """A folder with three configs, which is the current one."""
    monkeypatch.chdir(tmp_path)
    for name, units in (("a", 4), ("b", 8), ("c", 12)):
        Path(f"{name}.yaml").write_text(dump_config(digits(name=name, model={"name": "mlp", "hidden": [units]})))
    return tmp_path


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["b.yaml", "a.yaml", "b.yaml"], ["b.yaml", "a.yaml"]),
        (["."], ["a.yaml", "b.yaml", "c.yaml"]),
        (["[ab].yaml"], ["a.yaml", "b.yaml"]),
        (["lists/all.txt"], ["lists/../c.yaml", "digits"]),
        (["digits"], ["digits"]),
        (["book/boston_kfold_*0"], ["book/boston_kfold_100", "book/boston_kfold_500"]),
    ],
)
def test_configs_are_found_by_file_folder_pattern_list_and_name(folder, texts, found):
    Path("lists").mkdir()
    Path("lists/all.txt").write_text("../c.yaml  # the largest\n\n# no more\ndigits\n")
    assert list(batch.find_configs(texts)) == found


@pytest.mark.parametrize("text", ["none.yaml", "x*.yaml", "empty", "no_such_name"])
def test_what_names_no_config_is_refused(folder, text):
    Path("empty").mkdir()
    with pytest.raises(UnknownNameError, match=r"there is no|no config"):
        batch.find_configs([text])


def test_a_file_that_lists_nothing_readable_is_refused(folder):
    Path("model.keras").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(ConfigError, match=r"model.keras is neither a config nor a list of configs"):
        batch.find_configs(["model.keras"])


def test_the_mistakes_of_all_configs_are_told_at_once(folder):
    for name in ("a", "b"):
        Path(f"{name}.yaml").write_text("data: digits\nmodell: mlp\n")
    with pytest.raises(ConfigError) as told:
        batch.plan(["."], [], Box())
    assert [problem.place.source for problem in told.value.problems if "modell" in problem.message] == [
        "a.yaml",
        "b.yaml",
    ]


@pytest.mark.parametrize(
    ("box", "jobs", "threads"),
    [
        (Box(cores=8, at_once=8), None, 2),
        (Box(cores=8, at_once=2), 2, 4),
        (Box(cores=2, at_once=4), 4, 1),
        (Box(gpus=("g",), per_gpu=2, cores=8, at_once=2), None, 4),
    ],
)
def test_the_cores_are_divided_when_it_is_planned(folder, box, jobs, threads):
    planned = batch.plan(["."], ["training.epochs=7"], box, jobs=jobs)
    assert [one.child.runtime.threads for one in planned] == [threads] * 3
    assert {one.child.training.epochs for one in planned} == {7}
    assert batch.plan(["a.yaml"], ["runtime.threads=3"], box)[0].child.runtime.threads == 3


def test_a_numbered_gpu_means_any(folder):
    (planned,) = batch.plan(["a.yaml"], ["runtime.device=gpu:3"], Box())
    assert planned.child.runtime.device == "gpu"


def test_what_a_run_needs_is_queued_and_more_fit_on_a_gpu(folder, outputs):
    box = Box(gpus=("g",), cores=12, at_once=1, memory={"g": 8000}, limited=False)
    planned = batch.plan(["."], ["needs={gpu_memory: 2GiB}"], box)
    assert [one.child.runtime.threads for one in planned] == [4] * 3
    assert batch.plan(["."], [], box)[0].child.runtime.threads == 12
    entries = batch.enqueue(planned, Queue(outputs))
    assert [(entry.gpu_memory, entry.gpus) for entry in entries] == [(2048, 1)] * 3


def test_what_needs_more_than_there_is_is_refused_before_anything_is_queued(folder, outputs):
    box = Box(gpus=("g",), memory={"g": 8000}, limited=False)
    Path("b.yaml").write_text(Path("b.yaml").read_text() + "needs: {gpus: 2}\n")
    Path("c.yaml").write_text(Path("c.yaml").read_text() + "needs: {gpu_memory: 9GB}\n")
    with pytest.raises(ConfigError, match=r"c.yaml:\d+:\d+: c needs more than there is") as raised:
        batch.plan(["."], [], box)
    assert [(problem.key, problem.expected) for problem in raised.value.problems] == [
        (("needs", "gpus"), "at most 1 GPU"),
        (("needs", "gpu_memory"), "at most 8,000 MiB of a GPU"),
    ]
    assert len(batch.plan(["."], [], Box())) == 3


def test_a_run_that_waits_and_needs_more_than_there_is_stops_nobody_for_ever(folder, outputs):
    queue, planned = Queue(outputs), batch.plan(["."], ["needs={gpu_memory: 2GiB}"], Box())
    batch.enqueue(planned, queue)
    small = Box(gpus=("g",), memory={"g": 1000})
    with pytest.raises(JobError, match="job 1 needs more than there is") as raised:
        batch.run(queue, small, None, None, lambda entries: None)
    (problem,) = raised.value.problems
    assert (problem.expected, problem.hint) == ("at most 1,000 MiB of a GPU", "dlrun queue cancel 1")
    queue.pause([1, 2, 3])
    assert batch.run(queue, small, [], None, lambda entries: None) == []


def test_seeds_follow_from_that_of_the_config_and_make_other_experiments(folder):
    several, more = (batch.plan(["a.yaml"], [], Box(), seeds=count) for count in (2, 3))
    assert [one.config.seed for one in several] == [one.config.seed for one in more[:2]]
    assert len({one.experiment for one in more}) == 3


def test_what_is_queued_is_a_config_that_can_be_trained_and_is_queued_once(folder, outputs):
    queue = Queue(outputs)
    planned = batch.plan(["a.yaml", "b.yaml"], [], Box(cores=2, at_once=2))
    entries = batch.enqueue(planned, queue)
    queued = [load_config(queue.job(entry).config_file) for entry in entries]
    assert [dump_config(config) for config in queued] == [dump_config(one.child) for one in planned]
    assert batch.enqueue(batch.plan(["."], [], Box()), queue)[:2] == entries
    assert len(list(outputs.glob("*/*.yaml"))) == 3


def test_a_completed_run_that_equals_one_of_the_batch_stands_for_it(digits, digits_run, outputs, tmp_path):
    (tmp_path / "same.yaml").write_text(dump_config(digits(name="same")))
    runs = digits_run.path.parent.parent
    (planned,) = batch.find_equal(batch.plan([str(tmp_path / "same.yaml")], [], Box()), runs)
    assert planned.equal.path == digits_run.path
    queue = Queue(outputs)
    assert batch.enqueue([planned], queue) == []
    assert batch.enqueue([planned], queue, rerun=True)[0].state == "waiting"
    (other,) = batch.find_equal(batch.plan([str(tmp_path / "same.yaml")], ["seed=7"], Box()), runs)
    assert other.equal is None


@pytest.mark.slow
def test_a_batch_does_its_runs_and_the_same_command_finds_nothing_to_do(folder, outputs):
    Path("b.yaml").write_text("data: {name: csv, path: none.csv, target: y}\nmodel: mlp\n")
    queue, box = Queue(outputs), Box(cores=2, at_once=2)
    entries = batch.enqueue(batch.plan(["."], [], box), queue)
    ended = batch.run(queue, box, [entry.number for entry in entries], None, lambda entries: None)
    assert [entry.state for entry in ended] == ["done", "failed", "done"]
    rows = batch.summarise(ended, queue)
    assert rows[0]["metric"] == "val_loss"
    assert rows[1]["failure"] == "data"
    again = batch.find_equal(batch.plan(["a.yaml", "c.yaml"], [], box), outputs)
    assert {one.equal.path for one in again} == {queue.job(ended[0]).run_dir, queue.job(ended[2]).run_dir}
    assert len(list(list_runs(outputs))) == 3
