"""What the data tests share."""

from __future__ import annotations

from typing import Any

import pytest

from dlrun.data import _sources


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """An empty data folder, and no network."""
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(_sources, "unreachable", lambda url: "no connection")
    return tmp_path
