"""The benchmark's pieces. Nothing here is timed: a benchmark is a program that prints ratios."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.many import MANY, Cost, Many, ManyResult
from bench.measuring import Side, SideFailedError, Work, run_side
from bench.pairs import PAIRS, data_folders, find_data
from bench.results import Result, geometric_mean
from bench.tables import BEGIN, END, cells, markdown, write_markdown
from dlrun.config.loading import load_config
from dlrun.events import EpochDone, ModelReady, as_line

ROOT = Path(__file__).parents[1]

BY_NAME = {pair.name: pair for pair in PAIRS}
KERAS_LINE = "30/30 - 1s - 25ms/step - accuracy: 0.8000 - loss: 0.5000 - val_accuracy: 0.8500 - val_loss: 1.2e-01"


def side(wall=1.0, epoch=0.5, memory=2**30, *, epochs=3, steps=30, **metrics):
    return Side(wall, epoch, memory, epochs, steps, metrics or {"val_accuracy": 0.9})


def result(name="digits", script=(10.0,), dlrun=(5.0,)):
    return Result(BY_NAME[name], [side(wall) for wall in script], [side(wall) for wall in dlrun])


def test_every_script_has_its_config_and_its_pair():
    for pair in PAIRS:
        assert pair.script.exists()
        assert load_config(pair.config).name == pair.name
    folder = PAIRS[0].script.parent
    assert {path.stem for path in folder.glob("*.py")} == {*BY_NAME, "boston_kfold"}


@pytest.mark.parametrize("name", [pair.name for pair in PAIRS])
def test_script_and_config_say_the_same_number_of_epochs(name):
    epochs = load_config(BY_NAME[name].config).training.epochs
    assert f'"EPOCHS", {epochs})' in BY_NAME[name].script.read_text()


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.quick_rows], ids=lambda pair: pair.name)
def test_a_shortened_pair_keeps_equally_many_rows_on_both_sides(pair):
    options = [text for text in pair.quick_options() if text != "-s"]
    split = load_config(pair.config, options).split
    assert pair.rows - split.test == int(pair.quick_variables()["ROWS"])
    assert '"ROWS"' in pair.script.read_text()


def dlrun_lines():
    """What dlrun prints today, so that a change of its lines is seen here."""
    logs = {"loss": 0.7104, "accuracy": 0.8765, "val_loss": 0.12, "val_accuracy": 0.85}
    model = ModelReady(9, 9, epochs=3, steps_per_epoch=30, monitor="val_loss", mode="min")
    return [str(as_line(event)) for event in (model, EpochDone(3, logs, 0.79, best=True))]


@pytest.mark.parametrize("lines", [["Epoch 1/3", KERAS_LINE], dlrun_lines()], ids=["keras", "dlrun"])
def test_steps_and_metrics_are_read_from_the_lines_of_both_sides(lines):
    work = Work()
    for line in lines:
        work.take(line, 1.0)
    assert work.ends == [1.0]
    assert work.steps == 30
    assert (work.metrics["val_accuracy"], work.metrics["val_loss"]) == (0.85, 0.12)


def test_the_old_name_of_accuracy_is_the_same_metric():
    work = Work()
    work.take("5/5 - 0s - acc: 0.5000 - loss: nan - val_acc: 0.6000", 1.0)
    assert work.metrics["val_accuracy"] == 0.6


def test_a_steady_epoch_is_the_median_after_the_first():
    work = Work()
    for seconds in (10.0, 11.0, 12.5, 13.5):
        work.take(KERAS_LINE, seconds)
    assert work.steady_epoch == 1.0


def test_one_epoch_is_too_few():
    work = Work()
    work.take(KERAS_LINE, 1.0)
    with pytest.raises(SideFailedError, match="1 epochs were printed; two are needed"):
        _ = work.steady_epoch


def test_ratios_are_script_over_dlrun_of_the_medians():
    assert result(script=(9.0, 10.0, 90.0), dlrun=(4.0, 5.0, 6.0)).ratio("wall") == 2.0


def test_the_mean_is_geometric_and_boston_counts_20_at_most():
    results = [result("boston", script=(500.0,)), result("digits", script=(25.0,))]
    assert geometric_mean(results, "wall") == pytest.approx(10.0)
    assert geometric_mean([*results, Result(BY_NAME["jena_gru"], problem="no data")], "wall") == pytest.approx(10.0)
    assert geometric_mean([], "wall") is None


@pytest.mark.parametrize(
    ("script", "dlrun", "problem"),
    [
        (side(), side(steps=31), "not the same work: (epochs, steps) (3, 30) and (3, 31)"),
        (side(), side(val_accuracy=0.5), "val_accuracy is more than 0.04 apart"),
        (side(), side(loss=0.1), "val_accuracy was not printed"),
    ],
)
def test_sides_that_did_different_work_are_found(script, dlrun, problem):
    compared = Result(BY_NAME["digits"], [script], [dlrun])
    compared.compare_work()
    assert compared.problem.startswith(problem)


def test_what_a_script_was_not_let_do_is_reckoned_by_its_starts_and_steady_epochs():
    many = Many("m", ROOT, ("kfold",), starts=3, fits=4, epochs=500, measured=2, measured_epochs=5)
    cost = many.reckoned([(side(30.0, 0.5), 60.0), (side(40.0, 0.5), 80.0)])
    assert cost.wall == 3 * (35 + 4 * 495 * 0.5)
    assert cost.cpu == pytest.approx(3 * (70 + 4 * 495 * 1.0))
    assert many.how() == "2 of 3 starts and 5 of 500 epochs, scaled"


def test_commands_of_many_runs_have_a_table_of_their_own():
    measured = ManyResult(MANY[0], [Cost(100.0, 150.0)], [Cost(2.0, 3.0)])
    missing = ManyResult(MANY[1], problem="no data")
    text = markdown([], [measured, missing], [], ["a machine"])
    assert "| boston_kfold | 100.0 | 2.0 | 50.0 | 150.0 | 3.0 | 50.0 | 6 of 500 epochs, scaled |" in text
    assert "| batch_8 | no data |" in text


def test_the_loop_over_folds_has_the_work_of_its_config():
    config = load_config(ROOT / "configs" / "book" / "boston_kfold_500.yaml")
    assert (config.training.epochs, config.training.batch_size, config.kfold.n_splits) == (500, 1, 4)
    assert (MANY[0].epochs, MANY[0].fits) == (500, 4)
    assert '"EPOCHS", 500)' in MANY[0].script.read_text()


def test_equal_work_is_no_problem():
    compared = Result(BY_NAME["digits"], [side()], [side()])
    compared.compare_work()
    assert compared.problem == ""


def test_the_memory_of_one_child_is_not_that_of_an_earlier_one():
    measure = """
import sys
from bench.many import MANY, Cost, Many, ManyResult
from bench.measuring import run_process
for work in ("x = bytearray(300 << 20)", "pass"):
    print(run_process([sys.executable, "-c", work], {})[1])
"""  # in a process of its own: Linux counts the memory of a parent as that of a child until it has begun
    found = subprocess.run([sys.executable, "-c", measure], capture_output=True, text=True, check=True, cwd=ROOT)
    large, small = map(int, found.stdout.split())
    assert large > 300 << 20 > 2 * small


def test_a_failed_process_is_told_with_the_end_of_its_output():
    with pytest.raises(SideFailedError, match=r"exit code 3(.|\n)*bad thing"):
        run_side([sys.executable, "-c", "print('bad thing'); raise SystemExit(3)"], {})


def test_a_markdown_table_has_a_row_per_pair_and_says_what_is_missing():
    rows = [result(), Result(BY_NAME["jena_gru"], problem="no data")]
    text = markdown(rows, [], [], ["a machine"])
    assert "| digits | 3 x 30 | 10.0 / 5.00 | 2.00 |" in text
    assert "| jena_gru | no data |" in text
    assert "| mean |  |  | 2.00 |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert len(cells(rows[0])) == len(cells(rows[1]))


def test_a_page_with_markers_keeps_what_is_around_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_markdown(page, "new\n")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    write_markdown(tmp_path / "other.md", "new\n")
    assert (tmp_path / "other.md").read_text() == "new\n"


def test_data_is_found_below_the_data_folder_and_in_keras_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert find_data(BY_NAME["boston"].file) is None
    cached = tmp_path / "keras" / "datasets" / "boston_housing.npz"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"1")
    assert find_data(BY_NAME["boston"].file) == cached
    own = tmp_path / "data" / "boston_housing" / "boston_housing.npz"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"2")
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "data"))
    assert find_data(BY_NAME["boston"].file) == own


def test_both_sides_get_links_to_the_files(tmp_path):
    file = tmp_path / "boston_housing.npz"
    file.write_bytes(b"1")
    with data_folders({"boston_housing/boston_housing.npz": file}) as variables:
        assert Path(variables["DLRUN_DATA"], "boston_housing", "boston_housing.npz").read_bytes() == b"1"
        assert Path(variables["KERAS_HOME"], "datasets", "boston_housing.npz").read_bytes() == b"1"


def test_missing_data_is_reported_and_is_no_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert main(["--only", "jena_gru", "boston", "--json", str(tmp_path / "out.json")]) == 0
    assert "jena_gru: no data" in capsys.readouterr().out
    pairs = json.loads((tmp_path / "out.json").read_text())["pairs"]
    assert [(pair["name"], pair["problem"]) for pair in pairs] == [("boston", "no data"), ("jena_gru", "no data")]


def test_a_broken_pair_leaves_the_others(tmp_path, monkeypatch, capsys):
    import bench.__main__ as program

    def run(pair, variables, *, quick):
        if pair.name == "boston":
            raise SideFailedError("exit code 1")
        return side()

    monkeypatch.setattr(program, "run_script", run)
    monkeypatch.setattr(program, "run_dlrun", run)
    monkeypatch.setattr(program, "find_data", lambda file: tmp_path)
    assert main(["--only", "digits", "boston"]) == 1
    shown = capsys.readouterr().out
    assert "boston: exit code 1" in shown
    lines = [line.split()[3] for line in shown.splitlines() if line.startswith("digits")]
    assert lines == ["script", "dlrun", "dlrun", "script", "script", "dlrun"]


@pytest.mark.slow
def test_the_pair_of_digits_runs_and_does_the_same_work(tmp_path):
    assert main(["--quick", "--only", "digits", "--json", str(tmp_path / "out.json")]) == 0
    (pair,) = json.loads((tmp_path / "out.json").read_text())["pairs"]
    assert pair["script"][0]["steps"] == pair["dlrun"][0]["steps"] == 36
    assert pair["ratios"].keys() == {"wall", "epoch", "memory"}
