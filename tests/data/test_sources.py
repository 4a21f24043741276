import time
from pathlib import Path

import pytest

from dlrun.data import _sources
from dlrun.data._sources import DataContext, Download, unreachable
from dlrun.errors import DataError

PUBLISHED = Download("https://example.invalid/imdb.npz", "0" * 64)


@pytest.fixture(autouse=True)
def _own_places(monkeypatch, tmp_path):
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def test_the_places_are_searched_in_the_order_of_the_design(monkeypatch, tmp_path):
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "env"))
    context = DataContext(folders=[tmp_path / "dir"])
    for place in ("keras/datasets/a.npz", "env/a.npz", "env/set/a.npz", "dir/a.npz", "dir/set/a.npz"):
        path = put(tmp_path / place)
        assert context.locate_file("a.npz", "set") == path


def test_a_path_is_looked_for_beside_the_config_first(monkeypatch, tmp_path):
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "env"))
    context = DataContext(config_folder=tmp_path / "configs")
    below = put(tmp_path / "env/titanic/train.csv")
    assert context.locate("titanic/train.csv") == below
    beside = put(tmp_path / "configs/titanic/train.csv")
    assert context.locate("titanic/train.csv") == beside


def test_an_absolute_path_is_taken_as_it_is(tmp_path):
    path = put(tmp_path / "a.csv")
    assert DataContext().locate(str(path)) == path


def test_several_folders_in_the_variable(monkeypatch, tmp_path):
    path = put(tmp_path / "two/a.csv")
    monkeypatch.setenv("DLRUN_DATA", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert DataContext(config_folder=tmp_path).locate("a.csv") == path


def test_a_missing_file_names_every_place_and_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(_sources, "unreachable", lambda url: "no connection")
    with pytest.raises(DataError) as caught:
        DataContext(folders=[tmp_path / "dir"]).locate_file("imdb.npz", "imdb", PUBLISHED)
    assert str(caught.value) == (
        "error: the data file imdb.npz is not there\n"
        "  received  looked for\n"
        f"            {tmp_path}/dir/imdb/imdb.npz\n"
        f"            {tmp_path}/dir/imdb.npz\n"
        f"            {tmp_path}/keras/datasets/imdb.npz\n"
        "            https://example.invalid/imdb.npz (no connection)\n"
        "  hint      put the file into one of these places, or name its folder with --data-dir or in $DLRUN_DATA; "
        "or try the experiment with generated data: --sample"
    )


def test_a_missing_path_of_the_user_knows_its_key(tmp_path):
    with pytest.raises(DataError, match=r"the data file nowhere\.csv is not there") as caught:
        DataContext(config_folder=tmp_path).locate("nowhere.csv")
    assert caught.value.problems[0].key == ("data", "path")


def hang(*_args, **_options):
    time.sleep(3)
    raise _sources.urllib.error.URLError("at last")


def test_an_address_that_does_not_answer_is_given_up_in_seconds(monkeypatch):
    monkeypatch.setattr(_sources, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(_sources.urllib.request, "urlopen", hang)
    started = time.perf_counter()
    assert "no answer within" in unreachable("https://example.invalid/")
    assert time.perf_counter() - started < 2.5


def test_an_address_that_cannot_be_resolved_says_why(monkeypatch):
    def refuse(*_args, **_options):
        raise _sources.urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(_sources.urllib.request, "urlopen", refuse)
    assert unreachable("https://example.invalid/") == "no connection: Name or service not known"


def test_a_download_goes_through_keras_with_the_hash(monkeypatch, tmp_path, capsys):
    import keras

    def get_file(name, url, file_hash, cache_subdir):
        print("downloading")
        assert (name, url, file_hash) == ("imdb.npz", PUBLISHED.url, PUBLISHED.file_hash)
        assert cache_subdir == "datasets"
        return str(put(tmp_path / name))

    monkeypatch.setattr(_sources, "unreachable", lambda url: "")
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    assert DataContext().locate_file("imdb.npz", "imdb", PUBLISHED) == Path(tmp_path / "imdb.npz")
    assert capsys.readouterr().out == ""


def test_a_failed_download_is_told(monkeypatch):
    import keras

    def get_file(*_args, **_options):
        raise ValueError("Incomplete or corrupted file detected.")

    monkeypatch.setattr(_sources, "unreachable", lambda url: "")
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(DataError, match="download failed: Incomplete or corrupted"):
        DataContext().locate_file("imdb.npz", "imdb", PUBLISHED)


def test_a_dataset_may_have_a_folder_of_its_own_in_keras_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    expected = put(tmp_path / "datasets" / "fashion-mnist" / "a.gz")
    published = Download("https://example.invalid/a.gz", "0" * 32, cache_folder="fashion-mnist")
    assert DataContext().locate_file("a.gz", "fashion_mnist", published) == expected
    assert DataContext().find_file("a.gz", "fashion_mnist") is None
