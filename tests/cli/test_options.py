import io
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from dlrun.cli import main
from dlrun.cli._options import complete_config, load, start_keras
from dlrun.errors import ConfigError, DeviceError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first.yaml", "second.yml", "notes.txt", "runs/deep.yaml", "runs/deeper/third.yaml", ".hidden/x.yaml"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("fi", ["first.yaml"]),
        ("second", ["second.yml"]),
        ("run", ["runs/"]),
        ("runs/", ["runs/deep.yaml", "runs/deeper/"]),
        ("./fi", ["./first.yaml"]),
        (".hid", [".hidden/"]),
        ("no/such/", []),
        ("notes", []),
    ],
)
def test_only_the_folder_being_typed_is_looked_into(folder, typed, found):
    assert complete_config(typed) == found


def test_absolute_paths_and_shipped_names_are_completed(folder):
    assert complete_config(f"{folder}/run") == [f"{folder}/runs/"]
    assert "digits" in complete_config("dig")
    assert not [name for name in complete_config("") if name.startswith(".")]


def test_a_data_folder_with_any_name_reaches_the_config(folder, monkeypatch):
    seen = []

    def load(text, overrides, **_):
        seen.extend(overrides)
        raise ConfigError("that is enough")

    monkeypatch.setattr("dlrun.cli._options.load", load)
    for name in ("data #1", "123"):
        Path(name).mkdir()
        assert main(["train", "digits", "--data-dir", name]) == 2
    assert seen == ['data.dir="data #1"', 'data.dir="123"']


@pytest.mark.parametrize("fails", [False, True])
def test_the_line_about_starting_is_wiped_away(fails, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def start(*arguments, **options):
        if fails:
            raise DeviceError("there is none")

    monkeypatch.setattr("dlrun.environment.import_keras", start)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with suppress(DeviceError):
        start_keras(load("digits", []), verbose=False)
    *_, wiped, last = sys.stderr.getvalue().split("\r")
    assert len(wiped) > len("starting TensorFlow ...")
    assert wiped.isspace()
    assert last == ""


@pytest.mark.parametrize(
    "arguments", [["show", "{}"], ["evaluate", "{}"], ["report", "{}"], ["runs", "--outputs", "{}"]]
)
def test_what_is_too_long_for_a_name_is_told(arguments, capsys):
    assert main([argument.format("x" * 300) for argument in arguments]) == 2
    assert "no file has so long a name" in capsys.readouterr().err


def test_a_data_folder_that_is_not_there_is_told(capsys):
    assert main(["train", "digits", "--data-dir", "no/where"]) == 2
    assert "no/where" in capsys.readouterr().err
