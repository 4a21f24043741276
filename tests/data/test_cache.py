import os
import time

import numpy as np
import pytest
from filelock import FileLock

from dlrun.config.schema import Split
from dlrun.data import _cache, _series_files, _text_classes, text_csv
from dlrun.data._cache import cache_size, cached, cached_if_worth, in_memory, limit_bytes
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.errors import DataError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(rows=3):
    """Two arrays, the first of them in two pieces, and a fact."""
    yield "a", np.zeros((rows, 2), "int32")
    yield "a", np.ones((1, 2), "int32")
    yield "empty", np.zeros(0, bool)
    yield "b", np.arange(rows, dtype="float32")
    return {"rows": rows}


@pytest.mark.parametrize("memory_bytes", [2**20, 0], ids=["in memory", "mapped"])
def test_what_comes_from_the_cache_is_what_was_made(folder, memory_bytes):
    expected = in_memory(make())
    for found in (cached("kind", 1, make, memory_bytes), cached("kind", 1, pytest.fail, memory_bytes)):
        assert found.facts == {"rows": 3}
        assert list(found.arrays) == ["a", "empty", "b"]
        for name, array in expected.arrays.items():
            assert found.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(found.arrays[name], array)
        assert isinstance(found.arrays["b"], np.memmap) == (memory_bytes == 0)


def test_each_kind_and_key_has_its_own_entry(folder):
    cached("kind", 1, make)
    assert cached("kind", 2, lambda: make(5)).facts == cached("other", 1, lambda: make(5)).facts == {"rows": 5}
    assert cache_size()[0] == 3


def failing():
    yield "a", np.zeros(3)
    raise DataError("the source is broken")


def late():
    yield "a", np.zeros(3)
    yield "b", np.zeros(3)
    yield "a", np.zeros(3)


@pytest.mark.parametrize(("maker", "error"), [(failing, DataError), (late, ValueError)])
def test_what_cannot_be_made_leaves_nothing_behind(folder, maker, error):
    with pytest.raises(error):
        cached("kind", 1, maker)
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


def entry_of(folder, key, *, age):
    """Make an entry, used so many seconds ago; its data file."""
    before = set(folder.glob("*.bin"))
    cached("kind", key, lambda: make(1000))
    (path,) = set(folder.glob("*.bin")) - before
    then = time.time() - age
    os.utime(path.with_suffix(".json"), (then, then))
    return path


def test_what_was_used_longest_ago_is_removed_beyond_the_limit(folder, monkeypatch):
    old, used, locked = (entry_of(folder, key, age=age) for key, age in (("old", 50), ("used", 60), ("locked", 90)))
    monkeypatch.setenv("DLRUN_CACHE_LIMIT_GB", str(3.5 * old.stat().st_size / 1e9))
    cached("kind", "used", pytest.fail)  # used now
    with FileLock(locked.with_suffix(".lock")):
        new = entry_of(folder, "new", age=0)
    assert set(folder.glob("*.bin")) == {used, locked, new}
    assert not old.with_suffix(".json").exists()


def test_the_newest_entry_stays_even_if_it_alone_is_too_large(folder, monkeypatch):
    monkeypatch.setenv("DLRUN_CACHE_LIMIT_GB", "0")
    entry_of(folder, 1, age=9)
    new = entry_of(folder, 2, age=0)
    assert list(folder.glob("*.bin")) == [new]


def test_files_that_were_never_finished_are_removed_after_a_day(folder):
    folder.mkdir()
    for name, age in (("fresh", 60), ("stale", 90_000)):
        file = folder / f".{name}.bin.1.tmp"
        file.write_bytes(b"x")
        os.utime(file, (time.time() - age,) * 2)
    cached("kind", 1, make)
    assert [path.name for path in folder.glob(".*.tmp")] == [".fresh.bin.1.tmp"]


@pytest.mark.parametrize("wish", ["much", "-1", "nan"])
def test_a_limit_that_is_no_size_is_refused(monkeypatch, wish):
    monkeypatch.setenv("DLRUN_CACHE_LIMIT_GB", wish)
    with pytest.raises(DataError, match="DLRUN_CACHE_LIMIT_GB is no size"):
        limit_bytes()


def test_small_sources_and_unusable_folders_leave_no_entry(folder, tmp_path, monkeypatch):
    source = tmp_path / "a.csv"
    source.write_text("x")
    assert cached_if_worth("kind", [source], 1, make).facts == {"rows": 3}
    assert not folder.exists()
    monkeypatch.setattr(_cache, "WORTH_BYTES", 0)
    folder.write_text("a file where the folder should be")
    assert cached_if_worth("kind", [source], 1, make).facts == {"rows": 3}


def texts(folder):
    for part, count in (("train", 12), ("test", 6)):
        for k in range(count):
            file = folder / part / ("good" if k % 2 else "bad") / f"{k}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"Film {k} was {file.parent.name} \u00e9t\u00e9" if k else "")
    return {"path": str(folder)}


def reviews(folder):
    folder.mkdir()
    (folder / "a.csv").write_text("review,mood\n" + "".join(f"film {k} was {k % 2},{k % 2}\n" for k in range(30)))
    (folder / "b.csv").write_text("review,mood\n" + "".join(f"this {k} is {k % 2},{k % 2}\n" for k in range(30)))
    return {"path": str(folder / "a.csv"), "test_path": str(folder / "b.csv"), "text": "review", "label": "mood"}


def series(folder):
    folder.mkdir()
    rows = (f"2024-01-01 {k // 60:02d}:{k % 60:02d},{k % 24},{k % 7 or '?'}\n" for k in range(1, 200))
    (folder / "a.csv").write_text("day,heat,wind\n" + "".join(rows))
    return {"path": str(folder / "a.csv"), "target": "heat", "lookback": 12, "delay": 2}


@pytest.mark.parametrize(
    ("name", "options", "module", "reader", "change"),
    [
        ("text_folder", texts, _text_classes, "read_tree", ("Film", "Movie")),
        ("text_csv", reviews, text_csv, "indexed", ("film 1 ", "movie ")),
        ("timeseries_csv", series, _series_files, "read_series", (",1,1", ",5,1")),
    ],
)
def test_data_from_the_cache_is_the_data_of_the_files(
    folder, tmp_path, monkeypatch, name, options, module, reader, change
):
    parameters = options(tmp_path / "files")

    def prepare():
        return prepare_data(name, parameters, context=DataContext(), split=Split().model_dump(), seed=1)

    plain = prepare()
    monkeypatch.setattr(_cache, "WORTH_BYTES", 0)
    prepare()
    assert cache_size()[0] == 1
    real = getattr(module, reader)
    monkeypatch.setattr(module, reader, pytest.fail)
    found = prepare()
    assert found.fingerprint == plain.fingerprint
    assert found.notes == plain.notes
    assert found.encoder.get_state() == plain.encoder.get_state()
    monkeypatch.setattr(module, reader, real)
    changed = next(path for path in sorted((tmp_path / "files").rglob("*.*")) if path.stat().st_size)
    changed.write_text(changed.read_text().replace(*change))
    assert prepare().fingerprint["content"] != plain.fingerprint["content"]
    assert cache_size()[0] == 2
