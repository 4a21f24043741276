import json

import pytest

from dlrun import doctor
from dlrun.cli import main


@pytest.mark.slow
def test_a_working_machine_passes_with_a_real_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    subjects = {finding["subject"]: finding for finding in found["findings"]}
    assert subjects["training"]["status"] == "ok"
    assert "val_accuracy" in subjects["training"]["text"]
    assert not list(tmp_path.iterdir())


def test_what_is_broken_ends_with_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_run", lambda command: (None, "ImportError: no TensorFlow"))
    assert main(["doctor", "--quick", "--outputs", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "ImportError: no TensorFlow" in out
    assert "broken: devices" in out
    assert "training" not in out
    assert "\\x1b" not in out  # the colour of the status is no text


def test_json_says_that_it_is_broken(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_run", lambda command: (None, "x"))
    assert main(["doctor", "--quick", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
