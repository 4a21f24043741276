import json
import shutil

import pytest

from dlrun.cli import main


@pytest.fixture
def folder(digits_run, tmp_path, monkeypatch):
    """A current folder with one finished run in `outputs/`."""
    shutil.copytree(digits_run.path.parent.parent, tmp_path / "outputs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_says_what_was_written_and_what_does_not_fit(folder, capsys):
    assert main(["explain", "-"]) == 0
    out = capsys.readouterr().out
    for expected in ("importance", "of 288 wrong", "mistakes/mistakes.json", "no words: it is for texts", "7 files in"):
        assert expected in out
    assert next(folder.glob("outputs/digits/*/artefacts/explain/importance/columns.png")).is_file()


def test_as_json_it_is_one_object_with_the_numbers(folder, capsys):
    assert main(["explain", "digits", "--what", "importance,mistakes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in found["written"]] == ["importance", "mistakes", "mistakes"]
    assert len(found["written"][0]["facts"]["columns"]) == 64


def test_an_attack_by_its_own_option(folder, capsys):
    assert main(["explain", "digits", "--attack", "--epsilon", "0.1,0.2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["what"] for one in found["written"]} == {"attack"}
    assert found["written"][0]["facts"]["sizes"] == [0.1, 0.2]


def test_a_long_list_is_cut_in_the_table_only(folder, capsys):
    command = ["explain", "-", "--what", "activations", "--layer", "dense", "--samples", "11"]
    assert main(command) == 0
    assert "... 3 more" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--what", "word"], "did you mean words?"),
        (["--what", "filters"], "expected  saliency, importance, mistakes"),
        (["--attack", "--epsilon", "0.1,x"], "--epsilon takes shares of the range of the pixels"),
        (["--attack", "--epsilon", "2"], "--epsilon takes shares of the range of the pixels"),
    ],
)
def test_a_wrong_wish_is_told_with_code_2(folder, capsys, arguments, expected):
    assert main(["explain", "-", *arguments]) == 2
    assert expected in capsys.readouterr().err
