import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from image_files import image_bytes, write_classes, zipped

from dlrun.data import _decoded
from dlrun.data._decoded import decoded_images
from dlrun.data._image_decoding import Look
from dlrun.data._image_files import open_source
from dlrun.errors import DataError

LOOK = Look(6, 5, "rgb", "bilinear")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded_names(monkeypatch):
    """The names that were decoded, not taken from the cache."""
    names = []
    real = _decoded.decode_all
    monkeypatch.setattr(_decoded, "decode_all", lambda s, n, look: names.extend(n) or real(s, n, look))
    return names


def read(path, look=LOOK, memory_bytes=2**20):
    source = open_source(path)
    return decoded_images(source, source.names, look, memory_bytes)


def stored(cache, suffix):
    return sorted(cache.glob(f"*.{suffix}"))


def test_images_are_decoded_once(tmp_path, cache, decoded_names):
    folder = write_classes(tmp_path / "a")
    first, second = read(folder), read(folder)
    assert len(decoded_names) == 8
    np.testing.assert_array_equal(first.images, second.images)
    assert [path.name[0] for path in cache.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_changed_file_is_decoded_anew(tmp_path, cache, decoded_names, packed):
    folder = write_classes(tmp_path / "a")
    path = zipped(folder, tmp_path / "a.zip") if packed else folder
    before = read(path)
    (folder / "cats" / "2.png").write_bytes(image_bytes(seed=77))
    if packed:
        zipped(folder, path)
    after = read(path)
    assert len(decoded_names) == 16
    assert (after.images != before.images).any(axis=(1, 2, 3)).tolist() == [row == 2 for row in range(8)]


def test_a_file_more_and_another_size_are_decoded_anew(tmp_path, cache, decoded_names):
    folder = write_classes(tmp_path / "a")
    read(folder)
    assert read(folder, Look(6, 5, "grayscale", "bilinear")).images.shape == (8, 6, 5, 1)
    assert read(folder, Look(5, 6, "rgb", "bilinear")).images.shape == (8, 5, 6, 3)
    read(folder, Look(6, 5, "rgb", "nearest"))
    (folder / "cats" / "9.png").write_bytes(image_bytes())
    assert len(read(folder).images) == 9
    assert len(decoded_names) == 8 * 4 + 9


def flip(path):
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "cut": lambda data, facts: data.write_bytes(data.read_bytes()[:-5]),
    "flipped": lambda data, facts: flip(data),
    "gone": lambda data, facts: data.unlink(),
    "no facts": lambda data, facts: facts.unlink(),
    "half facts": lambda data, facts: facts.write_text(facts.read_text()[:10]),
    "other facts": lambda data, facts: facts.write_text('{"rows": 8}'),
    "list": lambda data, facts: facts.write_text("[]"),
}


@pytest.mark.parametrize("memory_bytes", [2**20, 1], ids=["in memory", "mapped"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_made_anew(tmp_path, cache, decoded_names, damage, memory_bytes):
    folder = write_classes(tmp_path / "a")
    expected = np.array(read(folder).images)
    damage(*stored(cache, "bin"), *stored(cache, "json"))
    np.testing.assert_array_equal(read(folder, memory_bytes=memory_bytes).images, expected)
    assert len(decoded_names) == 16
    read(folder)
    assert len(decoded_names) == 16


def test_what_exceeds_the_memory_is_mapped(tmp_path, cache):
    folder = write_classes(tmp_path / "a")
    mapped = read(folder, memory_bytes=100).images
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    assert not isinstance(read(folder).images, np.memmap)
    np.testing.assert_array_equal(mapped, read(folder).images)


def test_without_a_folder_to_write_images_are_decoded_into_memory(tmp_path, cache):
    folder = write_classes(tmp_path / "a")
    expected = np.array(read(folder).images)
    for path in cache.iterdir():
        path.unlink()
    cache.rmdir()
    cache.write_text("a file where the folder should be")
    np.testing.assert_array_equal(read(folder).images, expected)
    with pytest.raises(DataError, match=r"8 images of 6 x 5 need 0 MiB, and the cache folder .* cannot keep them"):
        read(folder, memory_bytes=100)


def test_many_at_once_get_the_same(tmp_path, cache, decoded_names):
    folder = write_classes(tmp_path / "a")
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: read(folder).images, range(6)))
    assert len(decoded_names) == 8
    assert all((images == found[0]).all() for images in found)


PROGRAM = """
import sys
from pathlib import Path
from dlrun.data._decoded import decoded_images
from dlrun.data._image_decoding import Look
from dlrun.data._image_files import open_source
source = open_source(Path(sys.argv[1]))
print(decoded_images(source, source.names, Look(6, 5, "rgb", "bilinear"), 2**20).images.sum())
"""


def test_several_processes_share_one_cache(tmp_path, cache):
    folder = write_classes(tmp_path / "a")
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) for _ in range(3)]
    answers = {int(process.communicate()[0]) for process in running}
    assert answers == {int(read(folder).images.sum())}
    assert len(stored(cache, "bin")) == len(stored(cache, "json")) == 1
