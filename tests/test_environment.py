"""What is set, and what is left out, before Keras is imported."""

import importlib
import sys

import pytest

from dlrun.environment import hidden


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
