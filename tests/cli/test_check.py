import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlrun.cli import main

GOOD = "data: digits\nmodel: {name: mlp, hidden: [8]}\n"
BAD = "data: digits\nmodel: {name: mlp, hiden: [8]}\n"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    Path("bad.yaml").write_text(BAD, encoding="utf-8")


def test_a_good_config_is_ok(capsys):
    assert main(["check", "good.yaml"]) == 0
    assert capsys.readouterr().out == "ok  good.yaml\n"


def test_every_file_is_checked_and_any_wrong_one_exits_with_2(capsys):
    assert main(["check", "bad.yaml", "good.yaml", "none.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == "ok  good.yaml\n"
    assert "error: bad.yaml:2:20: model.hiden is not an argument of the model `mlp`" in err
    assert "there is no file none.yaml" in err
    assert "2 of 3 configs are wrong" in err


def test_json_is_one_object_with_the_place_of_each_problem(capsys):
    assert main(["check", "bad.yaml", "good.yaml", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [config["ok"] for config in found["configs"]] == [False, True]
    (problem,) = found["configs"][0]["problems"]
    assert problem["key"] == ["model", "hiden"]
    assert (problem["place"]["line"], problem["place"]["column"], problem["place"]["length"]) == (2, 20, 5)
    assert problem["hint"] == "did you mean hidden?"


def test_overrides_are_checked_too(capsys):
    assert main(["check", "good.yaml", "-s", "training.epochs=0"]) == 2
    assert "error: -s:1:17: training.epochs is out of range" in capsys.readouterr().err


def test_a_typo_is_answered_without_keras_or_numpy():
    program = (
        "import sys\nfrom dlrun.cli import main\ncode = main(['check', 'bad.yaml'])\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("did you mean hidden?\n\n")


def test_a_config_without_a_model_cannot_be_trained(capsys):
    Path("bare.yaml").write_text("data: digits\n", encoding="utf-8")
    assert main(["check", "bare.yaml"]) == 2
    assert "error: bare.yaml:1:1: the key `model` is missing" in capsys.readouterr().err


def test_data_files_are_found_or_not_and_that_is_no_mistake(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    Path("rows.csv").touch()
    table = "data: {name: csv, path: rows.csv, test_path: more.csv, target: -1}\nmodel: mlp\n"
    Path("table.yaml").write_text(table, encoding="utf-8")
    assert main(["check", "table.yaml", "imdb"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1:3] == ["    data: found rows.csv", "    data: not found: more.csv"]
    assert out[4] == "    data: not found: imdb.npz"
    assert main(["check", "table.yaml", "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["configs"]
    assert report["data"] == {"found": [str(tmp_path / "rows.csv")], "missing": ["more.csv"]}


def test_what_shortens_a_config_is_told_at_its_place(tmp_path, capsys):
    path = tmp_path / "a.yaml"
    path.write_text("data: digits\nmodel: mlp\nsmall: {training.epochs: true}\n")
    assert main(["check", str(path)]) == 2
    assert f"{path}:3:26: training.epochs is not an integer" in capsys.readouterr().err
