import json
from pathlib import Path

import pytest

from dlrun.cli import main


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text("data: digits\nmodel: {name: mlp, hidden: [8]}\ntraining: {epochs: 5}\n")
    Path("child.yaml").write_text("extends: base.yaml\ntraining:\n  batch_size: 64\n")


def comment_of(out, start):
    (line,) = [line for line in out.splitlines() if line.strip().startswith(start)]
    return line.split("  # ")[1]


def test_each_value_is_shown_with_its_origin(capsys):
    assert main(["show", "child.yaml", "-s", "seed=4"]) == 0
    out = capsys.readouterr().out
    assert comment_of(out, "hidden: [8]") == "base.yaml:2"
    assert comment_of(out, "epochs: 5") == "base.yaml:3"
    assert comment_of(out, "batch_size: 64") == "child.yaml:3"
    assert comment_of(out, "learning_rate: 0.001") == "default"
    assert comment_of(out, "seed: 4") == "-s seed=4"


def test_what_is_shown_loads_as_the_same_config(capsys):
    from dlrun.config.loading import load_config

    main(["show", "child.yaml"])
    Path("shown.yaml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert load_config("shown.yaml").model_dump() == load_config("child.yaml").model_dump()


def test_json_holds_the_config_and_the_origins(capsys):
    assert main(["show", "child.yaml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["config"]["training"]["batch_size"] == 64
    assert found["origins"]["training.batch_size"] == "child.yaml:3"
    assert found["origins"]["runtime.device"] == "default"


def test_a_misspelt_config_is_answered_with_the_nearest(capsys):
    assert main(["show", "chld.yaml"]) == 2
    assert "did you mean child.yaml?" in capsys.readouterr().err
