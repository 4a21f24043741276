"""Runs side by side: what differs, which belong together, and when they are ranked."""

import json
import shutil

import pytest

from dlrun.analysis._differences import MISSING, OPEN, differing
from dlrun.analysis.compare import compare
from dlrun.cli import main
from dlrun.config.dumping import dump_config
from dlrun.config.loading import config_from_mapping
from dlrun.errors import ConfigError, RunDirError
from dlrun.run_dir import RunDir

CONFIG = {
    "name": "digits",
    "data": "digits",
    "model": {"name": "mlp", "hidden": [16]},
    "monitor": {"metric": "val_accuracy", "mode": "max"},
}


@pytest.fixture
def make(outputs):
    """Makes a finished run on disk without training: a number, `val_accuracy`, and what of it is unlike the others.

    Keys with a dot are parameters of the config; `run` and `metrics` update those files.
    """

    def make_run(number, value=0.5, *, status="completed", run=None, metrics=None, name="digits", **keys):
        overrides = [f"{key.replace('__', '.')}={item}" for key, item in keys.items()]
        folder = RunDir.claim(outputs / name / f"20260101-00000{number}-abcdef")
        folder.config_file.write_text(dump_config(config_from_mapping({**CONFIG, "name": name}, overrides)))
        data = {"content": "aaaaaaaaaa", "split": "bbbbbbbbbb", "rows": {"training": 100}, "sample": False}
        record = {"status": status, "id": folder.id, "data": data, "device": "CPU", **(run or {})}
        folder.record_file.write_text(json.dumps(record))
        if status == "completed":
            table = {"monitor": "val_accuracy", "mode": "max", "validated": True, "epochs": 3, "best_epoch": 2}
            table |= {"best": {"val_accuracy": value, "accuracy": 1.0}, "baselines": {"val_accuracy": 0.1}}
            folder.metrics_file.write_text(json.dumps({**table, "seconds_per_epoch": 0.5, **(metrics or {})}))
        return folder

    return make_run


def data(content="aaaaaaaaaa", split="bbbbbbbbbb", **more):
    return {"data": {"content": content, "split": split, "rows": {"training": 100}, **more}}


def of_all(outputs):
    return compare(["digits"], outputs, every=True)


def ids(found):
    return [int(entry.run.id[14]) for entry in found.entries]


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        ([{"a": 1}, {"a": 1}], {}),
        ([{"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}], {"a.c": [2, 3]}),
        ([{"a": {"b": 1}}, {}], {"a.b": [1, MISSING]}),
        ([{"a": None}, {}], {"a": [None, MISSING]}),
        ([{"a": 1}, {"a": True}], {"a": [1, True]}),
        ([{"a": [1, 1]}, {"a": [1, True]}], {"a": [[1, 1], [1, True]]}),
        ([{"a": 1}, {"a": 1.0}], {}),
        ([{"a": [1]}, {"a": [1, 2]}], {"a": [[1], [1, 2]]}),
        ([{"a": [{"D": {"u": 1}}]}, {"a": [{"D": {"u": 2}}]}], {"a[0].D.u": [1, 2]}),
        ([{"a": [{"D": 1}]}, {"a": [{"D": 1}, {"E": 2}]}], {"a": [[{"D": 1}], [{"D": 1}, {"E": 2}]]}),
        ([{"a": {"b": 1}}, {"a": 3}, {"a": 3}], {"a": [{"b": 1}, 3, 3]}),
        ([{"a": []}, {"a": []}, {"a": [{}]}], {"a": [[], [], [{}]]}),
    ],
)
def test_only_values_that_differ_are_told(configs, expected):
    assert differing(configs) == expected


def test_what_a_run_left_open_and_did_not_settle_is_no_difference(make, outputs):
    make(1, 0.5)
    make(2, 0.4, model__hidden="[32]", loss="sparse_categorical_crossentropy", split__kind="stratified")
    make(3, status="failed", run={"data": None, "failure": {"kind": "data"}}, model__hidden="[64]", split__kind="auto")
    found = of_all(outputs)
    assert found.parameters["loss"] == [None, "sparse_categorical_crossentropy", OPEN]
    assert found.parameters_of(found.entries[2]) == {"model.hidden": [64]}
    assert [entry.outcome for entry in found.entries] == ["completed", "completed", "failed: data"]


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        ([{"a": 1}, {"a": OPEN}], {}),
        ([{"a": OPEN}, {"a": OPEN}], {}),
        ([{"a": OPEN}, {"a": 1}, {"a": 2}], {"a": [OPEN, 1, 2]}),
        ([{"a": OPEN}, {"a": {"b": 1}}, {"a": {"b": 2}}], {"a.b": [OPEN, 1, 2]}),
        ([{}, {"a": OPEN}], {}),
    ],
)
def test_an_open_value_may_be_any(configs, expected):
    assert differing(configs) == expected


def test_runs_on_the_same_data_and_split_are_ranked_best_first(make, outputs):
    make(1, 0.5)
    make(2, 0.9, model__hidden="[32]")
    make(3, 0.7, optimizer__learning_rate="0.01")
    found = of_all(outputs)
    assert found.ranked
    assert ids(found) == [2, 3, 1]
    assert [entry.number for entry in found.entries] == [1, 2, 3]
    assert [group.rank for group in found.groups] == [1, 2, 3]
    assert found.parameters == {"model.hidden": [[32], [16], [16]], "optimizer.learning_rate": [0.001, 0.01, 0.001]}
    assert found.parameters_of(found.entries[1]) == {"model.hidden": [16], "optimizer.learning_rate": 0.01}


def test_a_metric_that_shall_be_small_is_ranked_the_other_way_round(make, outputs):
    smaller = {"monitor": "val_loss", "mode": "min"}
    make(1, metrics={**smaller, "best": {"val_loss": 0.5}})
    make(2, metrics={**smaller, "best": {"val_loss": 0.3}}, model__hidden="[32]")
    assert ids(of_all(outputs)) == [2, 1]


def test_equal_runs_share_a_rank(make, outputs):
    for number, units in enumerate((8, 9, 10), 1):
        make(number, 0.5 if units < 10 else 0.4, model__hidden=f"[{units}]")
    assert [group.rank for group in of_all(outputs).groups] == [1, 1, 3]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"run": data("cccccccccc")}, "the data differs: aaaaaaaa in run 1; cccccccc in run 2"),
        (
            {"run": data("cccccccccc", sample=True)},
            "the data differs: aaaaaaaa in run 1; cccccccc, generated stand-in in run 2",
        ),
        ({"run": data(split="dddddddddd")}, "the split differs: bbbbbbbb in run 1; dddddddd in run 2"),
        ({"run": {"data": None}}, "which data it was trained on is not recorded: run 2"),
        (
            {"metrics": {"monitor": "accuracy", "best": {"accuracy": 1.0}}},
            "the metric differs: val_accuracy (max) in run 1; accuracy (max) in run 2",
        ),
        ({"metrics": {"mode": "min"}}, "the metric differs: val_accuracy (max) in run 1; val_accuracy (min) in run 2"),
        ({"status": "interrupted"}, "only run 1 is completed"),
        ({"value": None}, "only run 1 is completed"),
        ({"model__hidden": "[16]"}, "the completed runs are one configuration: they differ in nothing but the seed"),
    ],
)
def test_runs_are_not_ranked_where_that_would_mislead_and_it_is_said_why(make, outputs, other, reason):
    make(1, 0.5)
    make(2, **{"value": 0.9, "model__hidden": "[32]", **other})
    found = of_all(outputs)
    assert not found.ranked
    assert reason in found.reasons
    assert ids(found) == [1, 2]
    assert not any(group.rank for group in found.groups)


def test_runs_that_differ_only_in_the_seed_are_one_configuration(make, outputs):
    for number, value in enumerate((0.1, 0.2, 0.3), 1):
        make(number, value, seed=number)
    for number, value in enumerate((0.5, 0.7), 4):
        make(number, value, seed=number, model__hidden="[32]")
    found = of_all(outputs)
    assert found.ranked
    assert ids(found) == [4, 5, 1, 2, 3]
    assert [[entry.seed for entry in group.entries] for group in found.groups] == [[4, 5], [1, 2, 3]]
    assert found.groups[1].mean("val_accuracy") == pytest.approx(0.2)
    assert found.groups[1].spread("val_accuracy") == pytest.approx(0.1)
    assert found.groups[0].spread("val_accuracy") == pytest.approx(0.02**0.5)


def test_where_the_split_goes_by_the_seed_the_same_seeds_are_needed(make, outputs):
    for number, seed, units in [(1, 1, 8), (2, 2, 8), (3, 1, 9), (4, 2, 9)]:
        make(number, 0.1 * number, seed=seed, model__hidden=f"[{units}]", run=data(split=f"{seed}"))
    found = of_all(outputs)
    assert found.ranked
    assert "the split goes by the seed, so the spread is that of the split, too" in found.notes
    shutil.rmtree(found.entries[0].run.path)
    assert any(reason.startswith("the split differs") for reason in of_all(outputs).reasons)


def test_a_seed_that_occurs_twice_is_noted(make, outputs):
    make(1, 0.5)
    make(2, 0.5)
    make(3, 0.7, model__hidden="[32]")
    assert "the same seed more than once, which makes the spread too small: runs 2, 3" in of_all(outputs).notes


@pytest.mark.parametrize(
    ("other", "note"),
    [
        ({"training__epochs": 20}, "unequal budgets: 10 epochs of 4 steps in run 1; 20 epochs of 4 steps in run 2"),
        ({"training__batch_size": 64}, "unequal budgets: 10 epochs of 4 steps in run 1; 10 epochs of 2 steps in run 2"),
        ({"run": {"versions": {"keras": "4"}}}, "the versions differ: keras None in run 1; keras 4 in run 2"),
        ({"run": {"resume": {"exact": False}}}, "resumed, but not exactly: run 2"),
        ({"run": {"device": "GPU"}}, "the device differs: CPU in run 1; GPU in run 2"),
        ({"run": {"git": [{"commit": "1234567890"}]}}, "the code differs: no commit in run 1; 12345678 in run 2"),
        (
            {"run": {"git": [{"commit": "1234567890", "patch": {"sha256": "abcdefghij"}}]}},
            "the code differs: no commit in run 1; 12345678 and changes abcdefgh in run 2",
        ),
    ],
)
def test_what_else_differs_is_noted(make, outputs, other, note):
    make(1, 0.9)
    make(2, 0.5, model__hidden="[32]", **other)
    found = of_all(outputs)
    assert found.ranked
    assert found.notes == [note]


def test_runs_on_the_same_stand_in_data_are_ranked_with_a_warning(make, outputs):
    make(1, 0.9, run=data(sample=True))
    make(2, 0.5, run=data(sample=True), model__hidden="[32]")
    found = of_all(outputs)
    assert found.ranked
    assert found.notes == ["generated stand-in data (--sample), the figures mean nothing: runs 1, 2"]


def test_what_does_not_change_the_experiment_does_not_count(make, outputs, tmp_path):
    make(1, 0.9)
    make(2, 0.5, description="other", training__tensorboard="false", data__dir=tmp_path, callbacks="[CSVLogger]")
    make(3, 0.4, name="digits2")
    found = compare(["digits", "digits2"], outputs, every=True)
    assert found.parameters == {}
    assert len(found.groups) == 1


def test_the_same_plugin_in_each_run_is_no_difference_but_another_one_is(make, outputs):
    for number, text in [(1, "same"), (2, "same"), (3, "other")]:
        plugin = make(number, 0.5).plugins / "0" / "mine.py"
        plugin.parent.mkdir(parents=True)
        plugin.write_text(text)
    first, second, third = of_all(outputs).parameters["plugins"]
    assert first == second != third


def test_a_run_that_is_not_completed_shows_its_best_epoch_so_far_and_no_rank(make, outputs):
    make(1, 0.5)
    make(2, 0.4, model__hidden="[32]")
    begun = make(3, status="interrupted", model__hidden="[64]")
    begun.history_file.write_text("epoch,loss,val_accuracy\n1,3.0,0.2\n2,2.0,0.9\n3,1.0,nan\n")
    found = of_all(outputs)
    last = found.entries[-1]
    assert found.ranked
    assert (last.status, last.epochs, last.best_epoch, last.value) == ("interrupted", 3, 2, 0.9)
    assert found.groups[-1].rank is None


def test_a_run_that_has_just_begun_is_shown(make, outputs):
    make(1, 0.5)
    make(2, status="failed", run={"data": None}, model__hidden="[32]")
    assert of_all(outputs).entries[1].status == "failed"


FILES = ("run.json", "metrics.json", "config.yaml")
DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "list": lambda path: path.write_text("[1, 2]"),
    "newer": lambda path: path.write_text('{"format": 99, "status": "completed", "best": {}}'),
    "short": lambda path: path.write_text('{"best": {}, "name": 3}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_run_is_a_row_with_the_reason(make, outputs, name, damage, capsys):
    make(1, 0.5)
    make(2, 0.4, model__hidden="[32]")
    broken = make(3, 0.4, model__hidden="[64]")
    DAMAGES[damage](broken.path / name)
    found = of_all(outputs)
    assert found.ranked
    last = found.entries[-1]
    assert last.run.path == broken.path
    assert last.status == "damaged"
    assert name in last.problem
    assert main(["compare", "--all", "digits", "--outputs", str(outputs)]) == 0
    assert "run 3 cannot be compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("metrics.json", "best", 3),
        ("metrics.json", "best", {"val_accuracy": "high"}),
        ("metrics.json", "best", {"val_accuracy": [1]}),
        ("metrics.json", "baselines", [3]),
        ("metrics.json", "epochs", "many"),
        ("metrics.json", "best_epoch", 1.5),
        ("metrics.json", "monitor", None),
        ("metrics.json", "mode", {}),
        ("metrics.json", "seconds_per_epoch", "fast"),
        ("run.json", "data", "x"),
        ("run.json", "status", None),
        ("run.json", "status", {}),
        ("run.json", "data", {"content": {}, "split": [], "rows": 3}),
        ("run.json", "git", {"commit": 3}),
        ("run.json", "versions", [1]),
        ("run.json", "process", 4),
    ],
)
def test_values_of_the_wrong_type_end_in_no_traceback(make, outputs, name, key, value, capsys):
    make(1, 0.5)
    make(2, 0.4, model__hidden="[32]")
    broken = make(3, 0.4, model__hidden="[64]")
    file = broken.path / name
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    assert main(["compare", "--all", "digits", "--json", "--outputs", str(outputs)]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 3


def test_a_history_that_is_damaged_is_told_for_a_run_that_has_nothing_else(make, outputs):
    make(1, 0.5)
    make(2, 0.4, model__hidden="[32]")
    make(3, status="interrupted").history_file.write_text("epoch,loss\n1,x\n")
    assert "history.csv" in of_all(outputs).entries[-1].problem


def test_with_fewer_than_two_readable_runs_the_problems_are_told(make, outputs):
    make(1, 0.5)
    make(2, 0.5).config_file.unlink()
    with pytest.raises(RunDirError, match=r"of 2 runs 1 can be read[^§]*there is no file .*config.yaml") as error:
        of_all(outputs)
    assert error.value.exit_code == 1


@pytest.mark.parametrize("texts", [["digits"], ["digits", "-"], ["digits", "digits"]])
def test_one_run_is_not_enough(make, outputs, texts):
    make(1, 0.5)
    with pytest.raises(ConfigError, match=r"compare wants two runs or more[^§]*--all digits"):
        compare(texts, outputs)


def test_runs_are_named_by_path_prefix_name_and_dash(make, outputs):
    first, second, third = make(1, 0.5), make(2, 0.6), make(3, 0.7, name="other")
    found = compare([str(first.path), second.id[:15], "other", "-"], outputs)
    assert {entry.run.path for entry in found.entries} == {first.path, second.path, third.path}


def test_a_folder_of_runs_stands_for_all_in_it(make, outputs):
    make(1, 0.5)
    make(2, 0.6)
    assert len(compare([str(outputs / "digits")], outputs / "elsewhere", every=True).entries) == 2


def test_configurations_are_compared_with_the_best_one_seed_by_seed(make, outputs, capsys):
    for number, (units, seed, value) in enumerate([(16, 1, 0.9), (16, 2, 0.8), (8, 1, 0.6), (8, 2, 0.7), (4, 1, 0.1)]):
        make(number, value, seed=seed, model__hidden=f"[{units}]")
    best, second, third = of_all(outputs).groups
    assert best.against_best is None
    assert second.against_best.mean == pytest.approx(-0.2)
    assert third.against_best is None, "one seed is no comparison"
    assert main(["compare", "--all", "digits", "--outputs", str(outputs)]) == 0
    assert "-0.2000 ± 0.1414" in capsys.readouterr().out
