import json
import subprocess
import sys

import pytest

from dlrun.catalogue import KINDS
from dlrun.cli import main


def test_the_overview_names_every_kind(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{kind} " in f"\n{out}" for kind in KINDS)


def test_a_kind_is_listed_with_parameters_and_source(capsys):
    assert main(["list", "models"]) == 0
    out = capsys.readouterr().out
    assert "mlp                      A stack of Dense layers." in out
    assert "hidden: [64, 64], activation: relu" in out
    assert "dlrun/models/mlp.py:" in out


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_listed_as_json(kind, capsys):
    assert main(["list", kind, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [kind]
    assert all(set(item) == {"name", "summary", "parameters", "file", "line"} for item in found[kind])


def test_one_name_is_enough(capsys):
    assert main(["list", "layer", "Dense", "--json"]) == 0
    (dense,) = json.loads(capsys.readouterr().out)["layers"]
    assert dense["parameters"]["units"] == "required"


@pytest.mark.parametrize(("arguments", "hint"), [(["modles"], "models"), (["models", "mpl"], "mlp")])
def test_a_typo_is_answered_with_the_nearest(arguments, hint, capsys):
    assert main(["list", *arguments]) == 2
    assert f"did you mean {hint}?" in capsys.readouterr().err


def test_listing_imports_no_keras():
    program = (
        "import sys\nfrom dlrun.cli import main\nmain(['list'])\nmain(['list', 'models'])\nmain(['list', 'layers'])\n"
        "sys.exit(str({'tensorflow', 'keras', 'numpy'} & set(sys.modules) or 0).replace('0', '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
