import os
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from dlrun.data import cifar10 as module
from dlrun.data._sources import DataContext
from dlrun.errors import DataError

ROWS = {"train": 50, "test": 20}


@pytest.fixture
def batches(monkeypatch, no_files):
    """Small batches as bytes by file name, images `(rows, 32, 32, 3)` and labels by part."""
    published = replace(module.CIFAR10, rows=ROWS)
    monkeypatch.setattr(module, "CIFAR10", published)
    random = np.random.default_rng(1)
    content, arrays = {}, {}
    for part, names in module.BATCHES.items():
        images = random.integers(0, 256, (ROWS[part], 32, 32, 3)).astype("uint8")
        labels = np.arange(ROWS[part]) % 10
        labels[:10] = published.first[part]
        labels[-10:] = np.arange(10)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = images, labels[:, None].astype("uint8")
        for name, rows in zip(names, np.split(np.arange(ROWS[part]), len(names)), strict=True):
            data = images[rows].transpose(0, 3, 1, 2).reshape(len(rows), 3072)
            values = {b"data": data, b"labels": labels[rows].tolist(), b"filenames": [b"a.png"]}
            content[name] = pickle.dumps(values, protocol=4)
    return no_files, content, arrays


def unpacked(folder, content):
    target = folder / "cifar-10-batches-py"
    target.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (target / name).write_bytes(data)
    return target


def packed(folder, content):
    source = unpacked(folder / "elsewhere", content)
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(source, "cifar-10-batches-py")


def load(folder, **options):
    return module.cifar10(DataContext(folders=[folder]), **options)


def check(dataset, arrays):
    np.testing.assert_array_equal(dataset.raw["image"][:50], arrays["x_train"])
    np.testing.assert_array_equal(dataset.raw["image"][50:], arrays["x_test"])
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])[:, 0]
    np.testing.assert_array_equal(dataset.targets["object"], labels)


def test_the_archive_is_read_in_place(batches):
    folder, content, arrays = batches
    packed(folder, content)
    dataset = load(folder)
    check(dataset, arrays)
    assert [path.name for path in dataset.files] == ["cifar-10-python.tar.gz"]


@pytest.mark.parametrize("place", ["cifar10", ".", "keras/datasets", "keras/datasets/cifar-10-batches-py-target"])
def test_the_unpacked_folder_is_read(batches, place):
    folder, content, arrays = batches
    unpacked(folder / place, content)
    dataset = load(folder)
    check(dataset, arrays)
    assert len(dataset.files) == 6


def test_arrays_of_numpy_are_read(batches):
    folder, _, arrays = batches
    np.savez(folder / "cifar10.npz", **arrays)
    check(load(folder), arrays)
    assert load(folder, flat=True).encoder.inputs()["image"].shape == (3072,)


class Malicious:
    def __reduce__(self):
        return os.system, ("touch owned",)


BROKEN = [
    ({"test_batch": pickle.dumps(Malicious())}, "test_batch: the file is damaged .* wants to run"),
    ({"test_batch": b""}, "test_batch: the file is damaged"),
    ({"test_batch": pickle.dumps([1])}, "test_batch: this is no batch of CIFAR-10"),
    (
        {"test_batch": pickle.dumps({b"data": np.zeros((2, 5), "uint8"), b"labels": [1, 2]})},
        "this is no batch of CIFAR-10",
    ),
    ({"test_batch": None}, "lacks test_batch"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_a_broken_batch_is_named(batches, changes, message):
    folder, content, _ = batches
    packed(folder, {name: data for name, data in (content | changes).items() if data is not None})
    with pytest.raises(DataError, match=message):
        load(folder)


def test_a_missing_batch_file_is_named(batches):
    folder, content, _ = batches
    (unpacked(folder, content) / "data_batch_3").unlink()
    with pytest.raises(DataError, match="data_batch_3: the file cannot be read: No such file"):
        load(folder)


def test_a_cut_archive_is_named(batches):
    folder, content, _ = batches
    packed(folder, content)
    path = folder / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="the archive cannot be read"):
        load(folder)


def test_other_pictures_are_refused(batches):
    folder, _, arrays = batches
    np.savez(folder / "cifar10.npz", **arrays | {"x_test": arrays["x_test"][:5]})
    with pytest.raises(DataError, match="this is not the published CIFAR-10: the shape of the test images"):
        load(folder)


def test_without_files_and_network_the_error_names_the_places(batches):
    with pytest.raises(DataError, match=r"cifar10/cifar-10-python\.tar\.gz"):
        load(batches[0])


def test_the_sample_is_marked():
    dataset = module.cifar10(DataContext(sample=True))
    assert dataset.generated
    assert dataset.raw["image"].shape == (3000, 32, 32, 3)
    assert "generated stand-in" in dataset.notes[0]
