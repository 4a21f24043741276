import functools
import hashlib
import http.server
import threading

import pytest

from dlrun import fetch as fetching
from dlrun.data._sources import Download, keras_cache
from dlrun.data_places import PUBLISHED
from dlrun.errors import DataError, UnknownNameError
from dlrun.fetch import check_names, downloads, fetch

CONTENT = b"reviews" * 1000


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def server(tmp_path):
    """The address of a web server of its own, which has imdb.npz and imdb_word_index.json."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "imdb.npz").write_bytes(CONTENT)
    (served / "imdb_word_index.json").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=served)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def published(server, monkeypatch):
    sha, md5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest()
    files = {
        "imdb.npz": Download(f"{server}/imdb.npz", sha),
        "imdb_word_index.json": Download(f"{server}/imdb_word_index.json", md5),
    }
    monkeypatch.setattr(fetching, "downloads", lambda dataset: files)
    return files


def _fetch(folder=None):
    asked = []
    return fetch("imdb", folder, on_start=asked.append), asked


def test_files_come_into_the_keras_cache_once(published):
    first, asked = _fetch()
    assert first.downloaded == [keras_cache() / name for name in published]
    assert [path.read_bytes() for path in first.downloaded] == [CONTENT, CONTENT]
    assert len(asked) == 2
    second, asked = _fetch()
    assert (second.there, second.downloaded, asked) == (first.downloaded, [], [])


def test_with_a_folder_only_that_folder_counts(published, tmp_path):
    _fetch()
    found, _ = _fetch(tmp_path / "data")
    assert found.downloaded == [tmp_path / "data" / "imdb" / name for name in published]


def test_a_missing_word_index_is_added(published, tmp_path):
    keras_cache().mkdir(parents=True)
    (keras_cache() / "imdb.npz").touch()
    found, _ = _fetch()
    assert found.there == [keras_cache() / "imdb.npz"]
    assert found.downloaded == [keras_cache() / "imdb_word_index.json"]


def test_a_file_with_another_hash_is_not_kept(published, server):
    published["imdb.npz"] = Download(f"{server}/imdb.npz", "0" * 64)
    with pytest.raises(DataError, match="not the published file"):
        _fetch()
    assert not list(keras_cache().iterdir())


def test_a_file_that_the_server_has_not_is_an_error(published, server):
    published["imdb.npz"] = Download(f"{server}/nothing.npz", "0" * 64)
    with pytest.raises(DataError, match="404"):
        _fetch()
    assert not list(keras_cache().iterdir())


def test_without_a_network_the_error_says_what_to_do(published):
    published["imdb.npz"] = Download("http://127.0.0.1:9/imdb.npz", "0" * 64)
    with pytest.raises(DataError, match="cannot be downloaded: no connection") as caught:
        _fetch()
    assert "on a computer that has one" in str(caught.value)


@pytest.mark.parametrize("name", ["imbd", "digits"])
def test_names_that_have_nothing_to_fetch_are_refused(name):
    with pytest.raises(UnknownNameError, match="nothing to fetch"):
        check_names(["imdb", name])


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_every_published_dataset_states_files_that_make_it_whole(dataset):
    files = downloads(dataset)
    assert all(len(one.file_hash) in (32, 64) for one in files.values())
    names = {name.removesuffix(".gz") for name in files} | set(files)
    assert any(set(group) <= names for group in PUBLISHED[dataset])
