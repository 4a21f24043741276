import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.data_places import PUBLISHED, find_data
from dlrun.registry import DATASETS


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def _put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _find(**data):
    return find_data(config_from_mapping({"data": data}))


def test_every_published_dataset_exists_and_names_its_files_in_its_source():
    for name, groups in PUBLISHED.items():
        signature = DATASETS.describe(name).signature
        if len(groups) == 1:
            assert groups[0][0] in signature.doc


def test_a_published_dataset_that_is_nowhere_names_the_file_that_would_do():
    assert _find(name="imdb").missing == ["imdb.npz"]


def test_folders_and_the_keras_cache_are_searched(tmp_path):
    _put(tmp_path / "data" / "imdb" / "imdb.npz")
    _put(tmp_path / "keras" / "datasets" / "mnist.npz")
    assert _find(name="imdb").found == [tmp_path / "data" / "imdb" / "imdb.npz"]
    assert _find(name="mnist").found == [tmp_path / "keras" / "datasets" / "mnist.npz"]


def test_a_group_of_files_counts_when_it_is_whole(tmp_path):
    *files, last = PUBLISHED["mnist"][1]
    for name in files:
        _put(tmp_path / "data" / "mnist" / f"{name}.gz")
    assert not _find(name="mnist").found
    _put(tmp_path / "data" / "mnist" / last)
    assert len(_find(name="mnist").found) == 4


def test_paths_of_the_user_are_found_or_not(tmp_path):
    _put(tmp_path / "here.csv")
    found = _find(name="csv", path="here.csv", test_path="there.csv", target=-1)
    assert found.found == [tmp_path / "here.csv"]
    assert found.missing == ["there.csv"]


@pytest.mark.parametrize("data", [{"name": "digits"}, {"name": "imdb", "sample": True}])
def test_bundled_and_generated_data_needs_no_file(data):
    found = _find(**data)
    assert not found.found
    assert not found.missing


def test_a_file_of_word_vectors_is_among_the_files_of_a_config(tmp_path):
    _put(tmp_path / "data" / "imdb" / "imdb.npz")
    data = {"name": "imdb", "encoding": "sequence"}
    config = config_from_mapping({"data": data, "model": {"name": "rnn", "vectors": "glove/100d.txt"}})
    assert find_data(config).missing == ["glove/100d.txt"]
    _put(tmp_path / "data" / "glove" / "100d.txt")
    assert find_data(config).missing == []
