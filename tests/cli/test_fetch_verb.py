import json
import time

import pytest

from dlrun import fetch as fetching
from dlrun.cli import main
from dlrun.data._sources import Download


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path))
    monkeypatch.setattr(fetching, "downloads", lambda name: {f"{name}.npz": Download("http://127.0.0.1:9/x", "0" * 64)})


def test_without_names_it_tells_what_is_there(tmp_path, capsys):
    (tmp_path / "imdb.npz").write_bytes(b"x" * 2_000_000)
    assert main(["fetch"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"imdb               there       {tmp_path / 'imdb.npz'} (2.0 MB)" in lines
    assert "reuters            not there" in lines


def test_without_a_network_it_ends_with_1_within_seconds(capsys):
    start = time.perf_counter()
    assert main(["fetch", "imdb", "reuters"]) == 1
    assert time.perf_counter() - start < 10
    printed = capsys.readouterr()
    assert printed.err.count("cannot be downloaded: no connection") == 2


def test_json_is_one_object_with_the_problems(tmp_path, capsys):
    (tmp_path / "mnist.npz").touch()
    assert main(["fetch", "imdb", "mnist", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    imdb, mnist = found["datasets"]
    assert "cannot be downloaded" in imdb["problems"][0]["message"]
    assert mnist["there"] == [str(tmp_path / "mnist.npz")]


def test_an_unknown_name_is_refused_before_anything_is_downloaded(capsys):
    assert main(["fetch", "imdb", "rueters"]) == 2
    printed = capsys.readouterr()
    assert "did you mean reuters?" in printed.err
    assert "downloading" not in printed.err
