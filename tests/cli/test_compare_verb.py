"""How `dlrun compare` prints."""

import json
import shutil
import subprocess
import sys

import pytest

from dlrun.cli import _output, main
from dlrun.run_dir import RunDir


@pytest.fixture
def two_runs(digits_run, outputs):
    """Two runs on digits under `outputs`; the second one has other units and is worse."""
    folders = [RunDir(outputs / "digits" / f"20260101-00000{number}-abcdef") for number in (1, 2)]
    for folder in folders:
        shutil.copytree(digits_run.path, folder.path)
    config = folders[1].config_file
    config.write_text(config.read_text().replace("hidden: [16]", "hidden: [8]"))
    metrics = json.loads(folders[1].metrics_file.read_text())
    metrics["best"][metrics["monitor"]] = 9.0
    folders[1].metrics_file.write_text(json.dumps(metrics))
    return folders


def words(text):
    return [line.split() for line in text.splitlines()]


def test_a_row_for_each_run_has_what_differs_and_how_it_went(two_runs, outputs, capsys):
    assert main(["compare", "--all", "digits", "--outputs", str(outputs)]) == 0
    out = capsys.readouterr().out
    heads, first, second = words(out)[:3]
    assert heads == ["#", "run", "model.hidden", "val_loss", "val_accuracy", "best", "epoch", "s/epoch"]
    assert first[:3] == ["1", "20260101-000001-abcdef", "[16]"]
    assert second[:4] == ["2", "20260101-000002-abcdef", "[8]", "9.0000"]
    assert "baseline: val_loss 2.30" in out
    assert "ranked by val_loss, lowest first" in out


@pytest.mark.parametrize("width", [30, 40, 56])
def test_on_a_narrow_terminal_each_run_is_a_column_and_nothing_is_cut(two_runs, outputs, capsys, monkeypatch, width):
    console = _output._console

    def narrow(stream):
        made = console(stream)
        made.width = width
        return made

    monkeypatch.setattr(_output, "_console", narrow)
    assert main(["compare", "--all", "digits", "--outputs", str(outputs)]) == 0
    table, _, legend = capsys.readouterr().out.partition("\n1  ")
    assert "20260101-000001-abcdef" in legend
    assert all(len(line) <= width for line in table.splitlines())
    cells = [cell for line in words(table) for cell in line]
    assert "…" not in table
    assert {"[16]", "[8]", "9.0000", "model.hidden", "s/epoch"} <= set(cells)


def test_seeds_have_a_table_of_means(two_runs, outputs, capsys):
    third = two_runs[1].path.with_name("20260101-000003-abcdef")
    shutil.copytree(two_runs[1].path, third)
    (third / "config.yaml").write_text((third / "config.yaml").read_text().replace("seed: 1", "seed: 2"))
    assert main(["compare", "--all", "digits", "--outputs", str(outputs)]) == 0
    out = capsys.readouterr().out
    assert "mean ± standard deviation over seeds" in out
    assert "9.0000 ± 0.0000" in out
    assert "ranked by mean val_loss, lowest first" in out


def test_json_is_one_object_with_ranks_reasons_and_parameters(two_runs, outputs, capsys):
    assert main(["compare", "--all", "digits", "--outputs", str(outputs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ranked"] is True
    assert found["reasons"] == []
    assert found["parameters"] == ["model.hidden"]
    assert [run["rank"] for run in found["runs"]] == [1, 2]
    assert [run["parameters"] for run in found["runs"]] == [{"model.hidden": [16]}, {"model.hidden": [8]}]
    assert [group["n"] for group in found["groups"]] == [1, 1]
    assert found["groups"][1]["mean"]["val_loss"] == 9.0
    assert found["groups"][1]["spread"]["val_loss"] is None


@pytest.mark.parametrize("arguments", [["digits"], ["nothing", "digits"], ["--all", "nothing"]])
def test_a_command_that_names_too_few_runs_is_refused(two_runs, outputs, arguments, capsys):
    assert main(["compare", *arguments, "--outputs", str(outputs)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_damaged_runs_only_are_an_error_of_the_work(two_runs, outputs, capsys):
    for run in two_runs:
        run.metrics_file.write_text("{")
    assert main(["compare", "--all", "digits", "--outputs", str(outputs)]) == 1
    assert capsys.readouterr().err.count("metrics.json cannot be read") == 2


def test_show_tells_code_machine_data_and_sessions(digits_run, outputs, capsys):
    shutil.copytree(digits_run.path, outputs / "digits" / digits_run.id)
    run = RunDir(outputs / "digits" / digits_run.id)
    patch = {"file": "dirty.patch", "cut_off": True}
    git = [{"commit": "0123456789", "branch": "main", "of": ["current folder"], "patch": patch}]
    sessions = [{"started": "2026-01-01T00:00:00.5", "status": "interrupted"}, {"started": "2026-01-02T00:00:00"}]
    sessions[1]["device"] = "A GPU"
    run.update(git=git, sessions=sessions, resume={"exact": False, "reasons": ["Mine keeps no state"]})
    run.update(rollbacks=[{"epoch": 3, "step": 7, "learning_rate": 0.05}])
    assert main(["show", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert "01234567 (main) with the changes in dirty.patch, which is cut off: current folder" in out
    assert f"content {run.record()['data']['content'][:8]}, split" in out
    assert "2026-01-01T00:00:00 interrupted\n" in out
    assert "2026-01-02T00:00:00 without an end; other device" in out
    assert "not exact: Mine keeps no state" in out
    assert "not finite in step 7 of epoch 3, then learning rate 0.05" in out
    assert run.record()["machine"]["cpu"] in out


@pytest.mark.parametrize("value", [None, 3, "x", [3], {"a": 3}, [{}]])
@pytest.mark.parametrize("key", ["git", "versions", "machine", "data", "sessions", "resume"])
def test_show_survives_facts_of_the_wrong_type(digits_run, outputs, capsys, key, value):
    shutil.copytree(digits_run.path, outputs / "digits" / digits_run.id)
    run = RunDir(outputs / "digits" / digits_run.id)
    run.update(**{key: value})
    assert main(["show", str(run.path)]) == 0
    assert "device" in capsys.readouterr().out


def test_comparing_loads_no_heavy_package(two_runs, outputs):
    command = ["compare", "--all", "digits", "--outputs", str(outputs)]
    code = f"import sys\nfrom dlrun.cli import main\nassert main({command!r}) == 0\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {"tensorflow", "keras", "numpy", "sklearn", "matplotlib"}
