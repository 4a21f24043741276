import functools
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from small_book import claims_of, write_book

from dlrun.config.dumping import dump_config, plain_config
from dlrun.config.identity import first_identities, identity, identity_record, keys_of
from dlrun.config.loading import load_config
from dlrun.environment import installed_versions
from dlrun.errors import Interrupted
from dlrun.files import write_json
from dlrun.jobs.local import JobResult
from dlrun.run_dir import RunDir
from dlrun.studies import reproduce, retrain
from dlrun.studies._archive import Archive
from dlrun.studies._claims import find_claims, find_configs, needs
from dlrun.studies._costs import expected_cost
from dlrun.studies._experiment_locks import ExperimentLocks
from dlrun.studies._subjects import next_child


@pytest.fixture
def book(tmp_path):
    """Writes configs of a small book; keyword arguments are further lines by name of the config."""
    return functools.partial(write_book, tmp_path / "book")


@pytest.fixture
def here(monkeypatch):
    """Stands in for processes and trainings: `here.commands` are those that ran, `here.stop_at` one that is
    stopped, `here.waves` how many were asked for at once.
    """

    class Here:
        def __init__(self):
            self.commands, self.stop_at, self.waves = [], None, []

        def __call__(self, jobs, slots, *, warm, on_end):
            self.waves.append(len(jobs))
            results = []
            for job in jobs:
                self.commands.append(job.command[0])
                if len(self.commands) == self.stop_at:
                    raise KeyboardInterrupt
                results.append(JobResult(job, job.status(), pretend(job.command, job.run_dir)))
                on_end(results[-1])
            return results

    found = Here()
    monkeypatch.setattr(reproduce, "run_jobs", found)
    return found


def pretend(command, path):
    """Leave behind what a command does, as far as `reproduce` looks at it; the exit code. Configs named bad fail."""
    verb, text, *rest = command
    run = RunDir(path)
    if verb == "evaluate":
        run.evaluations.mkdir()
        values = {"values": {"accuracy": 0.9}, "baselines": {"accuracy": 0.1}}
        write_json(run.evaluations / "001-test-best.json", values)
        return 0
    if verb == "retrain":
        parent = RunDir(Path(text))
        config = retrain.plan(parent, load_config(parent.config_file))[0]
    else:
        config = load_config(text, [value for key, value in pairwise(rest) if key == "-s"])
    if config.name == "bad":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.out").write_text("a line\nerror: loss does not fit the data\n  hint  none\n")
        return 2
    RunDir.claim(path)
    run.config_file.write_text(dump_config(config))
    run.start({"name": config.name, **identity_record(config), "versions": installed_versions()})
    row = {"val_loss": 0.1 * config.seed, "val_accuracy": 0.9, "loss": 1.0}
    run.write_history([row] * config.training.epochs, [0.5] * config.training.epochs)
    units = config.model.parameters["hidden"][0]
    figures = {"best": row, "best_epoch": 1, "baselines": {"val_loss": 2.3}, "parameters": 75 * units + 10}
    write_json(run.metrics_file, {"format": 1, "seconds_per_epoch": 0.5, **figures})
    run.end("completed", seconds=1.0)
    return 0


def reproduced(folder, outputs, **options):
    """The rows, and all that were reported on the way."""
    seen = []
    limits = options.pop("limits", reproduce.Limits())
    rows = reproduce.run(
        claims_of(folder, **options),
        Archive(outputs),
        limits,
        on_rows=seen.append,
        on_end=lambda child, failure: None,
    )
    return rows, seen


@pytest.mark.parametrize("warm", [False, True])
def test_stated_results_are_measured_and_a_second_call_runs_nothing(book, outputs, here, warm):
    folder = book(
        one="""
expect:
  - {metric: parameters, value: 610, source: "DLwP 1.2, listing 1-3"}
  - {metric: val_accuracy, value: 0.5, tolerance: 0.5}
  - {metric: loss, value: 100, tolerance: 1}
  - {metric: test_accuracy, value: 0.5, tolerance: 0.5, after: retrain}
"""
    )
    rows, seen = reproduced(folder, outputs, limits=reproduce.Limits(warm=warm))
    assert [row.verdict for row in rows] == ["pass", "pass", "fail", "pass"]
    assert here.commands == ["train", "retrain", "evaluate"]
    assert [row.verdict for row in seen[0]] == ["not run"] * 4
    assert [row.verdict for row in seen[1]] == ["pass", "pass", "fail", "not run"]
    assert rows[2].deviation == pytest.approx(rows[2].measured - 100)
    again, _ = reproduced(folder, outputs)
    assert again == rows
    assert len(here.commands) == 3
    (retrained,) = (outputs / "one-retrain").iterdir()
    assert rows[3].runs == (str(retrained),)
    assert len(list(RunDir(retrained).evaluations.iterdir())) == 1


def test_a_run_of_the_first_format_of_identities_is_found(book, outputs, here):
    folder = book(one="expect: {metric: loss, value: 1, tolerance: 0.1}")
    reproduced(folder, outputs)
    (run,) = [RunDir(path) for path in (outputs / "one").iterdir()]
    record = run.record()
    del record["identity_format"]
    write_json(run.record_file, record)
    config = load_config(folder / "one.yaml")
    assert Archive(outputs).run(config) is None
    (first,) = first_identities(config, keys_of(plain_config(config)))
    write_json(run.record_file, {**record, "identity": first})
    (row,) = reproduced(folder, outputs)[0]
    assert (row.verdict, here.commands) == ("pass", ["train"])


def test_what_another_process_works_on_is_left_to_it_and_waited_for(book, outputs, here, monkeypatch):
    folder = book(
        one="expect: {metric: loss, value: 1, tolerance: 0.1}", two="seed: 5\nexpect: {metric: loss, below: 2}"
    )
    other, config = ExperimentLocks(outputs), load_config(folder / "one.yaml")
    assert other.take(identity(config))

    def other_ends(seconds):
        assert here.commands == ["train"] * 3  # the three seeds of the second
        assert pretend(["train", str(folder / "one.yaml")], outputs / "one" / "of-the-other") == 0
        other.give_back()

    monkeypatch.setattr(reproduce.time, "sleep", other_ends)
    rows, _ = reproduced(folder, outputs)
    assert [row.verdict for row in rows] == ["pass", "pass"]
    assert here.commands == ["train"] * 3
    assert other.take(identity(config)), "the lock was kept"


def test_the_lock_of_a_killed_process_is_free(outputs):
    code = "import sys, time; from pathlib import Path; from dlrun.studies._experiment_locks import ExperimentLocks\n"
    code += "locks = ExperimentLocks(Path(sys.argv[1])); print(locks.take('key'), flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(outputs)], stdout=subprocess.PIPE, text=True)
    locks = ExperimentLocks(outputs)
    try:
        assert process.stdout.readline() == "True\n"
        assert not locks.take("key")
    finally:
        process.kill()
        process.wait()
    assert locks.take("key")


def test_an_order_compares_the_means_over_three_seeds_with_those_of_another_config(book, outputs, here):
    folder = book(
        wide="model: {name: mlp, hidden: [32]}\nexpect: {metric: parameters, above: narrow, margin: 1000}\n",
        narrow="",
    )
    (folder / "wide.yaml").write_text(
        (folder / "wide.yaml").read_text().replace("model: {name: mlp, hidden: [8]}\n", "")
    )
    (row,) = reproduced(folder, outputs, pattern="wide.yaml")[0]
    assert (row.verdict, row.measured, row.level, row.seeds) == ("pass", 2410, 610, 3)
    assert here.commands == ["train"] * 6
    assert sorted(path.parent.name for path in outputs.glob("*/[!.]*")) == ["narrow"] * 3 + ["wide"] * 3
    assert row.deviation == 1800


def test_what_was_stopped_goes_on_with_what_is_missing(book, outputs, here):
    folder = book(one="expect: {metric: val_accuracy, below: 1.1}\n")
    here.stop_at = 2
    seen = []
    with pytest.raises(Interrupted, match="stopped"):
        reproduce.run(
            claims_of(folder),
            Archive(outputs),
            reproduce.Limits(),
            on_rows=seen.append,
            on_end=lambda child, failure: None,
        )
    assert seen[-1][0].verdict == "not run"
    assert seen[-1][0].note == "2 of 3 runs to do"
    here.stop_at = None
    rows, _ = reproduced(folder, outputs)
    assert rows[0].verdict == "pass"
    assert len(here.commands) == 4


def test_a_failed_command_fails_its_rows_only(book, outputs, here):
    folder = book(
        bad="seed: 5\nexpect: {metric: val_loss, value: 1, tolerance: 9}\n",
        good="expect: {metric: val_loss, value: 1, tolerance: 9}\n",
    )
    rows, _ = reproduced(folder, outputs)
    assert [row.verdict for row in rows] == ["failed", "pass"]
    assert rows[0].note == "loss does not fit the data"
    assert here.commands == ["train", "train"]


def test_nothing_is_begun_that_would_not_end_within_the_budget(book, outputs, here):
    folder = book(one="expect: {metric: val_loss, value: 1, tolerance: 9}\n")
    rows, _ = reproduced(folder, outputs, limits=reproduce.Limits(budget_seconds=1.0))
    assert [row.verdict for row in rows] == ["not run"]
    assert here.commands == []


def test_a_command_that_leaves_nothing_behind_is_not_repeated_for_ever(book, outputs, monkeypatch):
    folder = book(one="expect: {metric: val_loss, value: 1, tolerance: 9}\n")

    def run_jobs(jobs, slots, *, warm, on_end):
        for job in jobs:
            on_end(JobResult(job, None, 0))

    monkeypatch.setattr(reproduce, "run_jobs", run_jobs)
    rows, _ = reproduced(folder, outputs)
    assert (rows[0].verdict, rows[0].note) == ("failed", "`dlrun train` ended, and its result is not there")


def test_warm_processes_do_several_commands_before_the_plan_is_made_anew(book, outputs, here):
    folder = book(one="expect: {metric: val_loss, below: 1.0}\n", two="seed: 9\nexpect: {metric: loss, above: 0.5}\n")
    rows, seen = reproduced(folder, outputs, limits=reproduce.Limits(warm=True))
    assert [row.verdict for row in rows] == ["pass", "pass"]
    assert here.waves == [6]
    assert len(seen) == 7


def test_two_configs_of_one_experiment_share_its_run(book, outputs, here):
    expect = "expect: {metric: val_loss, value: 1, tolerance: 9}\n"
    folder = book(one=expect, two=expect)
    rows, _ = reproduced(folder, outputs, limits=reproduce.Limits(warm=True))
    assert [row.verdict for row in rows] == ["pass", "pass"]
    assert rows[0].runs == rows[1].runs
    assert here.commands == ["train"]


def test_a_run_without_a_best_epoch_cannot_be_retrained_and_that_is_told(book, outputs, here):
    folder = book(one="expect: {metric: test_accuracy, value: 1, tolerance: 9, after: retrain}\n")
    pretend(["train", str(folder / "one.yaml")], outputs / "one" / "x")
    metrics = RunDir(outputs / "one" / "x").metrics()
    write_json(RunDir(outputs / "one" / "x").metrics_file, {**metrics, "best_epoch": None})
    ((row,), _) = reproduced(folder, outputs)
    assert (row.verdict, row.note) == ("failed", "the run x has no best epoch")
    assert here.commands == []


def test_the_cheapest_claim_comes_first_and_known_times_beat_guesses(book, outputs, here):
    expect = "expect: {metric: val_loss, value: 1, tolerance: 9}\n"
    folder = book(a=expect.replace("metric", "seeds: 2, metric"), b=expect)
    work = reproduce.plan(claims_of(folder), Archive(outputs))
    assert [one.subject.config.name for one in work] == ["b", "a", "a"]
    assert not any(one.cost.measured for one in work)
    reproduced(folder, outputs, pattern="b.yaml")
    claim = claims_of(folder, "b.yaml", seeds=2)[0]
    cost = expected_cost(claim.own[1], Archive(outputs))
    assert cost.measured


def test_a_run_is_used_again_only_if_it_is_the_same_experiment_with_the_same_software_and_data(
    book, outputs, here, monkeypatch
):
    folder = book(one="expect: {metric: val_loss, value: 1, tolerance: 9}\n")
    subject = next(iter(needs(claims_of(folder))))
    pretend(["train", str(folder / "one.yaml"), "-s", "name=another"], outputs / "another" / "x")
    assert next_child(subject, Archive(outputs), test=False) is None
    (other_seed,) = find_claims(find_configs([str(folder / "one.yaml")]), seeds=2)
    assert next_child(other_seed.own[1], Archive(outputs), test=False) is not None
    (run,) = outputs.glob("another/*")
    record = RunDir(run).record()
    RunDir(run).update(versions={**record["versions"], "keras": "0.0"})
    assert next_child(subject, Archive(outputs), test=False).command[0] == "train"
    RunDir(run).update(versions=record["versions"], status="interrupted")
    assert next_child(subject, Archive(outputs), test=False).command[:2] == ["train", "--resume"]


def test_a_run_on_files_of_other_sizes_is_not_used(book, outputs, here, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n1,2\n")
    folder = book(one="expect: {metric: val_loss, value: 1, tolerance: 9}\n")
    path = folder / "one.yaml"
    path.write_text(path.read_text().replace("data: digits", f"data: {{name: csv, path: {table}, target: y}}"))
    subject = next(iter(needs(claims_of(folder))))
    pretend(["train", str(path)], outputs / "one" / "x")
    RunDir(outputs / "one" / "x").update(data={"files": [{"name": "t.csv", "bytes": 8}]})
    assert next_child(subject, Archive(outputs), test=False) is None
    table.write_text("x,y\n1,2\n3,4\n")
    assert next_child(subject, Archive(outputs), test=False) is not None


def test_missing_data_is_told_and_nothing_runs(book, outputs, here):
    folder = book(one="expect: {metric: val_loss, value: 1, tolerance: 9}\n")
    path = folder / "one.yaml"
    path.write_text(path.read_text().replace("data: digits", "data: {name: csv, path: gone.csv, target: y}"))
    ((row,), _) = reproduced(folder, outputs)
    assert (row.verdict, row.note) == ("data missing", "gone.csv")
    assert reproduce.plan(claims_of(folder), Archive(outputs)) == []


@pytest.mark.slow
def test_real_commands_leave_what_is_looked_for_and_the_same_command_finds_it(book, outputs):
    expect = """
expect:
  - {metric: parameters, value: 610}
  - {metric: val_accuracy, value: 2, tolerance: 0.1}
  - {metric: test_accuracy, value: 0.5, tolerance: 0.5, after: retrain}
"""
    folds = """
kfold: {n_splits: 2}
expect:
  - {metric: val_accuracy, at: last, value: 0.5, tolerance: 0.5}
  - {metric: recommended_epochs, value: 1}
  - {metric: test_accuracy, value: 0.5, tolerance: 0.5}
"""
    folder = book(one=expect, folds=folds)
    command = [sys.executable, "-m", "dlrun", "reproduce", str(folder / "*.yaml"), "--outputs", str(outputs)]
    first, second = (subprocess.run([*command, "--json"], capture_output=True, text=True) for _ in range(2))
    tables = [json.loads(run.stdout) for run in (first, second)]
    assert [run.returncode for run in (first, second)] == [1, 1]
    verdicts = [row["verdict"] for row in tables[0]["rows"]]
    assert verdicts == ["pass", "pass", "pass", "pass", "fail", "pass"]
    assert tables[0]["rows"] == tables[1]["rows"]
    assert "\nfail: " in first.stderr
    assert "dlrun kfold" in first.stderr
    assert "dlrun train" not in second.stderr
    assert json.loads((outputs / "reproduce" / "table.json").read_text())["counts"] == {"pass": 5, "fail": 1}
