"""MNIST and Fashion-MNIST: small stand-ins of their files, and the real ones where they are at hand."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data import fashion_mnist as fashion_module
from dlrun.data import mnist as mnist_module
from dlrun.data._class_images import IDX
from dlrun.data._idx import read_idx
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.errors import DataError

ROWS = {"train": 60, "test": 20}
MODULES = {"mnist": (mnist_module, "MNIST", "digit"), "fashion_mnist": (fashion_module, "FASHION_MNIST", "article")}


def arrays(published, seed=0):
    random = np.random.default_rng(seed)
    found = {}
    for part, rows in ROWS.items():
        found[f"x_{part}"] = random.integers(0, 256, (rows, 28, 28)).astype("uint8")
        found[f"y_{part}"] = (np.arange(rows) % 10).astype("uint8")
        found[f"y_{part}"][:10] = published.first[part]
        found[f"y_{part}"][-10:] = np.arange(10)
    return found


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def write_idx(folder, content, compressed=True):
    folder.mkdir(exist_ok=True)
    for name, stem in IDX.items():
        data = idx_bytes(content[name])
        (folder / (stem + ".gz" * compressed)).write_bytes(gzip.compress(data) if compressed else data)


@pytest.fixture(params=MODULES)
def small(request, monkeypatch, no_files):
    """A data folder, and a dataset whose published form is small: (folder, module, builder, arrays)."""
    module, constant, _ = MODULES[request.param]
    published = replace(getattr(module, constant), rows=ROWS)
    monkeypatch.setattr(module, constant, published)
    return no_files, getattr(module, request.param), arrays(published)


def load(small, **options):
    folder, build, _ = small
    return build(DataContext(folders=[folder]), **options)


def check(dataset, content):
    np.testing.assert_array_equal(dataset.raw["image"][:60, ..., 0], content["x_train"])
    np.testing.assert_array_equal(dataset.raw["image"][60:, ..., 0], content["x_test"])
    (targets,) = dataset.targets.values()
    np.testing.assert_array_equal(targets, np.concatenate([content["y_train"], content["y_test"]]))
    assert dataset.parts["test"].tolist() == list(range(60, 80))


def test_arrays_of_numpy_are_read(small):
    folder, build, content = small
    np.savez(folder / f"{build.__name__}.npz", **content)
    dataset = load(small)
    check(dataset, content)
    assert [path.name for path in dataset.files] == [f"{build.__name__}.npz"]


@pytest.mark.parametrize("compressed", [True, False])
def test_idx_files_are_read(small, compressed):
    folder, build, content = small
    write_idx(folder / build.__name__, content, compressed)
    dataset = load(small)
    check(dataset, content)
    assert len(dataset.files) == 4


def test_fashion_is_found_in_its_folder_of_keras_cache(small):
    folder, build, content = small
    if build.__name__ == "mnist":
        pytest.skip("MNIST lies in the cache itself")
    (folder / "keras" / "datasets").mkdir(parents=True)
    write_idx(folder / "keras" / "datasets" / "fashion-mnist", content)
    check(load(small), content)


def test_images_rest_as_bytes_and_come_as_shares(small):
    folder, build, content = small
    np.savez(folder / f"{build.__name__}.npz", **content)
    for options, shape in (({}, (28, 28, 1)), ({"flat": True}, (784,))):
        dataset = load(small, **options)
        rest = dataset.encoder.apply(dataset.raw)
        assert (rest["image"].dtype, rest["image"].shape) == (np.dtype("uint8"), (80, *shape))
        batch = dataset.encoder.batch(rest, np.array([3, 61]))
        expected = np.stack([content["x_train"][3], content["x_test"][1]]).reshape(2, *shape) / 255
        np.testing.assert_allclose(batch, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x_train", lambda x: x[:50], r"the shape of the train images\n  received  \(50, 28, 28\)"),
        ("x_test", lambda x: x[:, :8], "the shape of the test images"),
        ("y_train", lambda y: y[:50], "the number of train labels"),
        ("y_train", lambda y: y[::-1].copy(), "the first train labels"),
        ("y_test", lambda y: np.where(y == 9, 8, y).astype("uint8"), "the (first test|test) labels"),
        ("x_train", lambda x: x.astype("float32"), "the train part holds other numbers\n  received  images of float32"),
    ],
)
def test_a_file_with_other_content_is_refused(small, name, change, message):
    folder, build, content = small
    np.savez(folder / f"{build.__name__}.npz", **content | {name: change(content[name])})
    with pytest.raises(DataError, match="this is not the published .*MNIST: " + message):
        load(small)


def test_without_files_and_network_the_error_names_the_places(small):
    folder, build, _ = small
    with pytest.raises(DataError) as caught:
        load(small)
    assert f"{folder}/{build.__name__}/" in str(caught.value)
    assert "(no connection)" in str(caught.value)
    assert "--sample" in str(caught.value)


@pytest.mark.parametrize("name", MODULES)
def test_the_sample_can_be_learned_and_follows_from_the_seed(name):
    found = [
        prepare_data(name, {"flat": True}, context=DataContext(seed=s, sample=True), split=Split().model_dump(), seed=s)
        for s in (1, 1, 2)
    ]
    assert found[0].fingerprint == found[1].fingerprint
    assert found[0].fingerprint["content"] != found[2].fingerprint["content"]
    assert found[0].fingerprint["sample"]
    assert "generated stand-in" in found[0].notes[0]
    (targets,) = found[0].targets.values()
    images = found[0].arrays["image"].astype("float32")
    training, test = found[0].splits["training"], found[0].splits["test"]
    means = np.stack([images[training][targets[training] == label].mean(axis=0) for label in range(10)])
    distances = ((images[test][:, None] - means) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == targets[test]).mean() > 0.9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "beginning with nothing"),
        (b"\x00\x00\x08", "beginning 00 00 08"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "beginning 00 00 0d 01"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "received  11 bytes"),
        (b"\x00\x00\x08\x02\x00\x00\x00\x05", "received  8 bytes"),
        (b"\x00\x00\x08\x01\xff\xff\xff\xffabc", "no whole idx file"),
        (b"\x00\x00\x08\x02" + b"\xff\xff\xff\xfe\xff\xff\xff\xfdabcdef", "no whole idx file"),
        (b"\x00\x00\x08\x46" + b"\x00\x00\x00\x01" * 70 + b"a", "no whole idx file"),
    ],
)
def test_a_broken_idx_file_is_named(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "a")


def test_a_cut_compressed_file_is_named(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx_bytes(np.zeros((5, 5), "uint8")))[:-9])
    with pytest.raises(DataError, match=r"a\.gz: the file cannot be read"):
        read_idx(tmp_path / "a.gz")


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_published_digits(monkeypatch):
    dataset = mnist_module.mnist(DataContext())
    assert dataset.raw["image"].shape == (70_000, 28, 28, 1)
    assert int(dataset.raw["image"][:60_000].astype("int64").sum()) == 1_567_298_545
    assert np.bincount(dataset.targets["digit"][:60_000])[:3].tolist() == [5923, 6742, 5958]
    monkeypatch.setattr(DataContext, "find_file", without("mnist.npz", DataContext.find_file))
    again = mnist_module.mnist(DataContext())
    assert len(again.files) == 4
    np.testing.assert_array_equal(again.raw["image"], dataset.raw["image"])


def without(hidden, find):
    return lambda self, name, *rest: None if name == hidden else find(self, name, *rest)
