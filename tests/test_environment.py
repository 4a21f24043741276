"""What is set, and what is left out, before Keras is imported."""

import gc
import importlib
import os
import sys

import pytest

from dlrun.cli import main
from dlrun.environment import available_cores, hidden, no_collections


def test_a_hidden_package_cannot_be_imported_inside_and_can_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with hidden(["colorsys"]), pytest.raises(ImportError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").rgb_to_hsv


def test_a_package_that_is_imported_already_is_not_hidden():
    with hidden(["json"]):
        assert importlib.import_module("json") is sys.modules["json"]
    assert sys.modules["json"]


def test_a_package_is_shown_again_after_an_error(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with pytest.raises(ValueError, match="oops"), hidden(["colorsys"]):
        raise ValueError("oops")
    assert "colorsys" not in sys.modules


@pytest.mark.parametrize(
    "command",
    [["train", "digits"], ["train", "digits", "--dry-run"], ["check", "digits", "--summary"], ["data", "digits"]],
    ids=" ".join,
)
def test_a_backend_that_is_missing_is_told_in_one_line_that_names_the_extra(command, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.chdir(tmp_path)
    assert main([*command, "-s", "runtime.backend=jax"]) == 1
    said = capsys.readouterr().err.strip()
    assert said == "error: the backend jax is not installed: pip install 'dlrun[jax]'"
    assert not list(tmp_path.iterdir())


def test_scoring_on_a_missing_backend_is_told_too(digits_run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jax", None)
    assert main(["evaluate", str(digits_run.path), "-s", "runtime.backend=jax"]) == 1
    assert "pip install 'dlrun[jax]'" in capsys.readouterr().err


@pytest.mark.parametrize(("share", "cores"), [("3", 3), ("99", 8), ("0", 1), ("", 8), ("many", 8)])
def test_a_process_may_have_a_share_of_the_cores(share, cores, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setenv("DLRUN_CORES", share)
    assert available_cores() == cores


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_after_imports_as_before(enabled, monkeypatch):
    monkeypatch.setattr(gc, "isenabled", lambda: enabled)
    done = []
    monkeypatch.setattr(gc, "disable", lambda: done.append("disable"))
    monkeypatch.setattr(gc, "enable", lambda: done.append("enable"))
    with pytest.raises(ValueError, match="oops"), no_collections():
        raise ValueError("oops")
    assert done == (["disable", "enable"] if enabled else ["disable"])
