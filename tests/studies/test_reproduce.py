import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from dlrun.config.dumping import dump_config
from dlrun.config.identity import identity
from dlrun.config.loading import load_config
from dlrun.config.schema import Expect
from dlrun.environment import installed_versions
from dlrun.errors import ConfigError, Interrupted, UnknownNameError
from dlrun.files import write_json
from dlrun.jobs.local import JobResult
from dlrun.run_dir import RunDir
from dlrun.studies import reproduce, retrain
from dlrun.studies._archive import Archive
from dlrun.studies._claims import find_claims, find_configs, needs
from dlrun.studies._costs import duration, expected_cost, parse_duration
from dlrun.studies._stated_rows import Result, row_of
from dlrun.studies._stated_table import counts, deviation_text, markdown, measured_text
from dlrun.studies._subjects import next_child

BASE = """
data: digits
model: {name: mlp, hidden: [8]}
split: {test: 0.5}
training: {epochs: 1, batch_size: 256, tensorboard: false}
runtime: {jit_compile: false}
"""


@pytest.fixture
def book(tmp_path):
    """Writes configs of a small book; keyword arguments are further lines by name of the config."""

    def write(**configs):
        folder = tmp_path / "book"
        folder.mkdir(exist_ok=True)
        for name, text in configs.items():
            (folder / f"{name}.yaml").write_text(BASE + text)
        return folder

    return write


def claims_of(folder, pattern="*.yaml", **options):
    return find_claims(find_configs([str(folder / pattern)]), **options)


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
    run.start({"name": config.name, "identity": identity(config), "versions": installed_versions()})
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


def test_stated_results_are_measured_and_a_second_call_runs_nothing(book, outputs, here):
    folder = book(
        one="""
expect:
  - {metric: parameters, value: 610, source: "DLwP 1.2, listing 1-3"}
  - {metric: val_accuracy, value: 0.5, tolerance: 0.5}
  - {metric: loss, value: 100, tolerance: 1}
  - {metric: test_accuracy, value: 0.5, tolerance: 0.5, after: retrain}
"""
    )
    rows, seen = reproduced(folder, outputs)
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
    assert sorted(path.parent.name for path in outputs.glob("*/*")) == ["narrow"] * 3 + ["wide"] * 3
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


SMALL = "training: {epochs: 4}\nsmall: {training.epochs: 2}\n"


def test_at_small_scale_values_are_measured_and_orders_are_judged(book):
    folder = book(
        one="""
small: {training.epochs: 2, model.hidden: [4, 4]}
expect:
  - {metric: val_loss, value: 1, tolerance: 9}
  - {metric: val_loss, below: baseline}
  - {metric: parameters, value: 610}
""",
        other="expect: {metric: val_loss, value: 1, tolerance: 9}\n",
    )
    claims = claims_of(folder, scale="small")
    assert [claim.judged for claim in claims] == [False, True, True, True]
    assert claims[0].own[0].overrides == ("training.epochs=2", "model.hidden=[4, 4]", "~expect")
    assert claims[0].own[0].config.training.epochs == 2
    assert claims[1].own[2].overrides[-1] == "seed=3"
    assert claims[3].own[0].overrides == ()
    assert claims[0].own[0].command[:4] == ["train", str(folder / "one.yaml"), "-s", "training.epochs=2"]


def result(claim, value, baseline=1.0, epochs=3):
    metrics = {"best": {"val_loss": value}, "baselines": {"val_loss": baseline}, "parameters": 610}
    return Result(claim, metrics, [{"val_loss": value}] * epochs, {}, 2.0)


@pytest.mark.parametrize(
    ("expect", "values", "verdict"),
    [
        ("value: 0.5, tolerance: 0.1", [0.55], "pass"),
        ("value: 0.5, tolerance: 0.1", [0.65], "fail"),
        ("value: 0.5, tolerance: 0.1, seeds: 2", [0.4, 0.7], "pass"),
        ("value: 0.5, tolerance: 0.1, at: 9", [0.5], "not measured"),
        ("below: baseline", [0.9, 0.9, 1.1], "pass"),
        ("below: baseline", [0.9, 0.9, None], "not run"),
        ("below: baseline, margin: 0.1", [0.9, 0.9, 1.1], "fail"),
        ("above: 0.9", [0.9, 0.9, 1.1], "pass"),
    ],
)
def test_the_verdict_on_means_over_seeds(book, expect, values, verdict):
    (claim,) = claims_of(book(one=f"expect: {{metric: val_loss, {expect}}}\n"))
    found = {one: result("x", value) for one, value in zip(claim.own, values, strict=True) if value is not None}
    row = row_of(claim, found, {})
    assert row.verdict == verdict
    assert row.seconds == 2.0 * len(found)


def test_small_scale_and_few_seeds_are_not_judged_and_say_so(book):
    folder = book(
        one=SMALL.replace("training: {epochs: 4}\n", "") + "expect: {metric: val_loss, value: 5, tolerance: 1}\n"
    )
    (claim,) = claims_of(folder, scale="small")
    row = row_of(claim, {claim.own[0]: result("x", 0.5)}, {})
    assert (row.verdict, row.note, row.deviation) == ("not judged", "small scale: training.epochs 2", -4.5)
    folder = book(one="expect: {metric: val_loss, below: baseline}\n")
    (claim,) = claims_of(folder, seeds=1)
    row = row_of(claim, {claim.own[0]: result("x", 0.5)}, {})
    assert (row.verdict, row.note) == ("not judged", "1 seeds are too few for an order")


def test_an_epoch_that_a_short_run_does_not_reach_is_no_failure(book):
    (claim,) = claims_of(
        book(one=SMALL[SMALL.index("small") :] + "expect: {metric: val_loss, at: 9, below: 5.0}\n"), scale="small"
    )
    found = {one: result("x", 0.5) for one in claim.own}
    assert row_of(claim, found, {}).verdict == "not judged"


def test_the_table_says_what_was_measured(book):
    (claim,) = claims_of(book(one='expect: {metric: val_loss, below: baseline, source: "DLwP 1.2 | figure 3"}\n'))
    row = row_of(claim, {one: result("x", value) for one, value in zip(claim.own, (0.4, 0.5, 0.6), strict=True)}, {})
    assert measured_text(row) == "0.5000 (s 0.1000, 3 seeds) against 1"
    assert deviation_text(row) == "-0.5000"
    page = markdown([row], {"command": ["dlrun", "reproduce", "book/*"], "versions": {"keras": "3.15"}})
    assert "`dlrun reproduce 'book/*'`" in page
    assert "| pass | 6 | DLwP 1.2 \\| figure 3 |" in page
    assert counts([row]) == {"pass": 1}
    assert json.dumps(row.as_dict())


def test_an_order_may_name_a_file_beside_or_a_shipped_config(book):
    folder = book(
        one="expect: {metric: val_loss, below: two}\n", two="", three="expect: {metric: val_loss, below: digits}\n"
    )
    beside, shipped = (claims_of(folder, name)[0].others[0].name for name in ("one.yaml", "three.yaml"))
    assert (beside, shipped) == (str(folder / "two.yaml"), "digits")
    with pytest.raises(UnknownNameError, match="no config named 'nobody'"):
        claims_of(book(one="expect: {metric: val_loss, below: nobody}\n"), "one.yaml")


def test_a_pattern_that_matches_nothing_and_configs_that_state_nothing_are_errors(book):
    with pytest.raises(UnknownNameError, match=r"no config matches 'buk/\*'"):
        find_configs(["buk/*"])
    with pytest.raises(ConfigError, match="state no results"):
        claims_of(book(one=""))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("1.5h", 5400), ("1h30m", 5400), ("2d", 172800)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2 h", "h", "-2h"])
def test_what_is_no_duration(text):
    with pytest.raises(ConfigError, match="not a duration"):
        parse_duration(text)


def test_durations_for_readers():
    assert [duration(seconds) for seconds in (45, 720, 11160)] == ["45 s", "12 min", "3.1 h"]


def test_the_expect_of_a_claim_is_the_one_of_the_config(book):
    (claim,) = claims_of(book(one="expect: {metric: val_loss, value: 1, tolerance: 9}\n"))
    assert claim.expect == Expect(metric="val_loss", value=1.0, tolerance=9.0)


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
