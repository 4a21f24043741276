"""Settings that must stand before Keras is imported, and what many tests share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DIGITS: dict[str, Any] = {
    "name": "digits",
    "data": "digits",
    "model": {"name": "mlp", "hidden": [16]},
    "training": {"epochs": 3, "batch_size": 128, "tensorboard": False},
    "runtime": {"jit_compile": False},
}


_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps prepared data out of the user's cache."""
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path_factory.getbasetemp() / f"cache-{next(_NUMBERS)}"))


@pytest.fixture
def pictures() -> None:
    """Lets a test render pictures."""


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves pictures empty in all other tests: rendering them takes a third of a small training."""
    if "pictures" not in request.fixturenames:
        from matplotlib.figure import Figure

        monkeypatch.setattr(Figure, "savefig", lambda _figure, path, **_options: Path(path).touch())


@pytest.fixture
def real_data() -> None:
    """Skips a test when the real data files are not there."""
    if not os.environ.get("DLRUN_DATA"):
        pytest.skip("DLRUN_DATA is not set")


@pytest.fixture
def digits() -> Callable[..., Any]:
    """Makes a small digits config; keyword arguments replace top-level keys."""
    from dlrun.config.loading import config_from_mapping

    return lambda **keys: config_from_mapping({**DIGITS, **keys})


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A finished run on digits (a RunDir under `<tmp>/outputs/digits/`). Tests must not change it."""
    from dlrun.config.loading import config_from_mapping
    from dlrun.train import train

    return train(config_from_mapping(DIGITS), outputs=tmp_path_factory.mktemp("shared") / "outputs")


@pytest.fixture
def every_step_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a run tell of each step, also where many are one call."""
    monkeypatch.setattr("dlrun.engine.recorder.REPORT_SECONDS", 0)
    monkeypatch.setattr("dlrun.engine.whole_epoch.CHUNK_SECONDS", 1e-9)
    monkeypatch.setattr("dlrun.engine.whole_epoch._FIRST_CHUNK", 1)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """An empty folder for runs."""
    return tmp_path / "outputs"
