"""Curves of several runs over each other."""

import json
import shutil

import pytest

from dlrun.analysis._overlay import curves, groups_of
from dlrun.analysis.compare import compare
from dlrun.cli import main
from dlrun.run_dir import RunDir


@pytest.fixture
def runs(digits_run, outputs):
    """Three runs, the second one with other units, the third one without a validation part."""
    found = []
    for number in range(3):
        folder = RunDir(outputs / "digits" / f"20260101-00000{number}-abcdef")
        shutil.copytree(digits_run.path, folder.path, ignore=shutil.ignore_patterns("*.keras", "checkpoint", "plots"))
        found.append(folder)
    config = found[1].config_file
    config.write_text(config.read_text().replace("hidden: [16]", "hidden: [8]"))
    found[2].write_history([{"loss": 1.0, "accuracy": 0.5}] * 2, [])
    return found


def test_validation_lies_over_validation_and_training_only_over_training(runs, outputs):
    found = curves(compare(["digits"], outputs, every=True))
    assert list(found) == ["val_accuracy", "val_loss"] or list(found) == ["val_loss", "val_accuracy"]
    assert [len(lines) for lines in found.values()] == [2, 2]


def test_labels_say_what_differs_and_runs_of_one_configuration_share_a_group(runs, outputs):
    found = compare(["digits"], outputs, every=True)
    assert sorted(groups_of(found).values()) == [0, 0, 1]
    assert {name.partition(": ")[2] for name in groups_of(found)} == {"hidden [16]", "hidden [8]"}


@pytest.mark.usefixtures("pictures")
def test_the_verb_draws_them_as_a_picture(runs, outputs, capsys):
    file = outputs / "new" / "curves.png"
    assert main(["compare", "--all", "digits", "--outputs", str(outputs), "--plot", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plot"] == str(file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_runs_without_a_common_curve_are_told(runs, outputs, capsys):
    for run in runs:
        run.history_file.unlink()
        run.timing_file.unlink(missing_ok=True)
    assert main(["compare", "--all", "digits", "--outputs", str(outputs), "--plot", "x.png"]) == 1
    assert "there is no curve that two of these runs have" in capsys.readouterr().err
