"""A plugin is code of somebody: it is run by verbs that need it, and by no other."""

import pytest

from dlrun.cli import main

PLUGIN = """
from pathlib import Path

import keras

import dlrun

Path(__file__).with_name("was_run").touch()


@dlrun.{kind}("mine_{kind}")
def build(spec, *, units: int = 3):
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
"""
CONFIG = "data: digits\nplugins: [mine.py]\nmodel: {name: mine_model, units: 4}\ntraining: {epochs: 1}\n"
VERBS = {
    "check": ["check", "a.yaml"],
    "check as JSON": ["check", "a.yaml", "--json"],
    "check with an override": ["check", "a.yaml", "-s", "model.units=2"],
    "show": ["show", "a.yaml"],
    "show as JSON": ["show", "a.yaml", "--json"],
    "list": ["list"],
    "list models": ["list", "models"],
    "schema": ["schema"],
    "runs": ["runs"],
    "init": ["init", "rows.csv", "--target", "b", "-o", "new.yaml"],
    "data of a built-in dataset": ["data", "a.yaml"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PLUGIN.format(kind="model"))
    (tmp_path / "a.yaml").write_text(CONFIG)
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{k},{k % 2}\n" for k in range(40)))
    return tmp_path


@pytest.mark.parametrize("argv", VERBS.values(), ids=VERBS)
def test_a_verb_that_needs_no_plugin_runs_none(folder, argv, capsys):
    assert main(argv) == 0, capsys.readouterr().err
    assert not (folder / "was_run").exists()


def test_building_the_model_is_asking_for_its_plugin(folder):
    assert main(["check", "a.yaml", "--summary"]) == 0
    assert (folder / "was_run").exists()


def test_a_plugin_that_no_config_names_is_not_run(folder):
    (folder / "b.yaml").write_text("data: digits\nmodel: mlp\n")
    assert main(["check", "b.yaml", "--summary"]) == 0
    assert not (folder / "was_run").exists()


def test_data_of_a_plugin_s_dataset_runs_it(folder):
    (folder / "mine.py").write_text(PLUGIN.format(kind="dataset"))
    (folder / "a.yaml").write_text("data: mine_dataset\nplugins: [mine.py]\nmodel: mlp\n")
    assert main(["data", "a.yaml"]) == 2  # a model is no dataset
    assert (folder / "was_run").exists()
