import json
import xml.etree.ElementTree as ET

import keras
import pytest

from dlrun.cli import main
from dlrun.config.loading import load_config
from dlrun.draw_model import draw_run
from dlrun.run_dir import RunDir


def titles(file):
    """The text of every box."""
    return [title.text for title in ET.parse(file).getroot().iter("{http://www.w3.org/2000/svg}title")]


def test_the_best_model_of_a_run_is_drawn(digits_run, tmp_path, capsys):
    file = tmp_path / "new" / "net.svg"
    assert main(["show", str(digits_run.path), "--graph", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"graph": str(file)}
    assert titles(file)[1:] == [
        "pixels / Input / (64)",
        "dense / Dense / (16) / 1,040 parameters",
        "digit / Dense / (10) / 170 parameters / output",
    ]


def test_the_model_of_a_config_is_drawn(tmp_path, capsys):
    file = tmp_path / "net.svg"
    assert main(["check", "book/siamese_lstm", "--graph", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["configs"][0]["graph"] == str(file)
    assert "left_read / LSTM / (32) / 20,608 parameters" in titles(file)


def test_several_configs_cannot_be_drawn_into_one_file(tmp_path, capsys):
    assert main(["check", "digits", "iris", "--graph", str(tmp_path / "net.svg")]) == 2
    assert "--graph draws one config" in capsys.readouterr().err


def test_several_models_of_a_run_are_drawn_in_frames(digits_run, tmp_path):
    for name in ("critic", "generator"):
        inputs = keras.Input((2,), name=f"in_{name}")
        keras.Model(inputs, keras.layers.Dense(1, name=f"out_{name}")(inputs)).save(tmp_path / f"best-{name}.keras")
    draw_run(RunDir(tmp_path), load_config(digits_run.config_file), tmp_path / "net.svg")
    assert [text.split(" / ")[0] for text in titles(tmp_path / "net.svg")[1:]] == [
        *("critic", "in_critic", "out_critic", "generator", "in_generator", "out_generator")
    ]


def test_a_run_without_a_model_is_told(digits_run, tmp_path):
    from dlrun.errors import RunDirError

    with pytest.raises(RunDirError, match="has no model to draw"):
        draw_run(RunDir(tmp_path), load_config(digits_run.config_file), tmp_path / "net.svg")
