import io
import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from image_files import image_bytes, picture, write_classes, write_images, zipped
from PIL import Image

from dlrun.config.loading import config_from_mapping, load_config
from dlrun.config.schema import Split
from dlrun.data._images import ImageEncoder
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.data.image_folder import image_folder
from dlrun.errors import DataError
from dlrun.predict import predict
from dlrun.train import train


def load(path, **options):
    return image_folder(DataContext(), **{"path": str(path), "height": 6, "width": 5, **options})


def files(dataset, part=None):
    names = dataset.columns["file"]
    return [str(name) for name in (names if part is None else names[dataset.parts[part]])]


def test_class_folders_in_alphabetical_order(tmp_path):
    dataset = load(write_classes(tmp_path, rows=12))
    assert dataset.raw["image"].shape == (24, 6, 5, 3)
    assert dataset.raw["image"].dtype == "uint8"
    assert dataset.tasks["label"].labels == ("cats", "dogs")
    assert dataset.targets["label"].tolist() == [0] * 12 + [1] * 12
    assert files(dataset)[9:12] == ["cats/9.png", "cats/10.png", "cats/11.png"]
    assert dataset.parts == {}
    assert dataset.notes == []


def test_three_classes_are_multiclass(tmp_path):
    dataset = load(write_classes(tmp_path, labels=("a", "b", "c")))
    assert dataset.tasks["label"].kind == "multiclass"
    assert dataset.targets["label"].dtype == "int32"


@pytest.mark.parametrize("names", [("train", "validation", "test"), ("Training", "val", "testing")])
def test_folders_of_parts_give_the_parts(tmp_path, names):
    for part, rows in zip(names, (3, 2, 1), strict=True):
        write_classes(tmp_path / part, rows)
    dataset = load(tmp_path)
    assert {part: len(rows) for part, rows in dataset.parts.items()} == {"training": 6, "validation": 4, "test": 2}
    assert files(dataset, "test") == [f"{names[2]}/cats/0.png", f"{names[2]}/dogs/0.png"]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("wrapper", ["", "train/", "some/where/"])
def test_labels_before_the_first_dot(tmp_path, wrapper, packed):
    folder = tmp_path / "a"
    write_images(folder, [f"{wrapper}{label}.{row}.png" for label in ("dog", "cat") for row in range(3)])
    dataset = load(zipped(folder, tmp_path / "a.zip") if packed else folder)
    assert dataset.tasks["label"].labels == ("cat", "dog")
    assert dataset.targets["label"].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_zip_gives_what_its_folder_gives(tmp_path):
    folder = write_classes(tmp_path / "a")
    packed = load(zipped(folder, tmp_path / "a.zip"))
    np.testing.assert_array_equal(packed.raw["image"], load(folder).raw["image"])
    assert packed.files == [tmp_path / "a.zip"]


@pytest.mark.parametrize("form", ["jpg", "png", "bmp", "gif", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1", "LA", "CMYK"])
def test_any_kind_of_image_becomes_bytes_of_one_size(tmp_path, form, mode):
    folder = write_classes(tmp_path)
    try:
        (folder / "cats" / f"9.{form}").write_bytes(image_bytes(form, mode=mode, size=(31, 2)))
    except (OSError, KeyError, ValueError):
        pytest.skip(f"{form} has no {mode}")
    for color, channels in (("rgb", 3), ("grayscale", 1)):
        dataset = load(folder, color=color)
        assert dataset.raw["image"].shape == (9, 6, 5, channels)
        assert dataset.raw["image"][4].std() > 5


def test_pixels_are_those_of_pillow(tmp_path):
    folder = write_classes(tmp_path)
    expected = picture(0).resize((5, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(load(folder).raw["image"][0], np.asarray(expected))
    nearest = picture(0).resize((5, 6), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(load(folder, interpolation="nearest").raw["image"][0], np.asarray(nearest))


def test_sixteen_bits_are_scaled_not_cut(tmp_path):
    folder = write_classes(tmp_path)
    Image.fromarray(np.full((4, 4), 128 * 256, "uint16")).save(folder / "cats" / "9.png")
    assert load(folder).raw["image"][4].tolist() == np.full((6, 5, 3), 128).tolist()


def test_orientation_tags_are_not_looked_at(tmp_path):
    folder = write_classes(tmp_path)
    plain = load(folder).raw["image"]
    for file in folder.rglob("*.png"):
        image, tags = Image.open(io.BytesIO(file.read_bytes())), Image.Exif()
        tags[0x0112] = 6
        image.save(file, exif=tags)
    np.testing.assert_array_equal(load(folder).raw["image"], plain)


def test_per_class_cuts_parts_in_natural_order(tmp_path):
    folder = write_images(tmp_path, [f"{label}.{row}.png" for label in ("dog", "cat") for row in range(12)])
    dataset = load(folder, per_class={"training": 6, "validation": 3, "test": 2})
    assert files(dataset, "training")[:6] == [f"cat.{row}.png" for row in range(6)]
    assert files(dataset, "validation") == [f"{label}.{row}.png" for label in ("cat", "dog") for row in (6, 7, 8)]
    assert files(dataset, "test") == ["cat.9.png", "cat.10.png", "dog.9.png", "dog.10.png"]
    assert len(dataset.targets["label"]) == 22
    shares = load(folder, per_class={"training": 0.5, "validation": 0.25, "test": 0.25})
    assert {part: len(rows) for part, rows in shares.parts.items()} == {"training": 12, "validation": 6, "test": 6}


def test_per_class_takes_the_first_of_parts_that_are_there(tmp_path):
    for part in ("train", "test"):
        write_classes(tmp_path / part, rows=4)
    dataset = load(tmp_path, per_class={"training": 2, "test": 1})
    assert files(dataset, "training") == [f"train/{label}/{row}.png" for label in ("cats", "dogs") for row in (0, 1)]
    assert files(dataset, "test") == ["test/cats/0.png", "test/dogs/0.png"]


def test_scale_per_class_takes_fewer_of_every_part_alike_and_says_so(tmp_path):
    rows = {"dog": 12, "cat": 10}
    folder = write_images(tmp_path, [f"{label}.{row}.png" for label, count in rows.items() for row in range(count)])
    wishes = {"training": 1000, "validation": 500, "test": 500}
    with pytest.raises(DataError, match=r"data\.scale_per_class: true takes fewer for every part alike"):
        load(folder, per_class=wishes)
    dataset = load(folder, per_class=wishes, scale_per_class=True)
    assert {part: len(rows) for part, rows in dataset.parts.items()} == {"training": 10, "validation": 4, "test": 4}
    assert files(dataset, "test") == ["cat.7.png", "cat.8.png", "dog.7.png", "dog.8.png"]
    assert dataset.notes == [
        "data.per_class asks for 2,000 images of each class and cat has 10: "
        "taken are 5 for training, 2 for validation, 2 for test (data.scale_per_class)"
    ]


def test_scale_per_class_changes_nothing_where_there_are_enough_files(tmp_path):
    folder = write_classes(tmp_path, rows=6)
    for wishes in ({"training": 4, "validation": 2}, {"training": 0.5, "validation": 0.5}):
        plain, scaled = (load(folder, per_class=wishes, scale_per_class=scale) for scale in (False, True))
        assert files(plain) == files(scaled)
        assert scaled.notes == []


def test_scale_per_class_in_a_source_with_parts_of_its_own(tmp_path):
    write_classes(tmp_path / "train", rows=4)
    write_classes(tmp_path / "test", rows=3)
    dataset = load(tmp_path, per_class={"training": 8, "test": 4}, scale_per_class=True)
    assert {part: len(rows) for part, rows in dataset.parts.items()} == {"training": 8, "test": 4}
    assert "asks for 8 images of each class for training and cats has 4" in dataset.notes[0]


def test_max_images_takes_from_every_class(tmp_path):
    assert files(load(write_classes(tmp_path, rows=9), max_images=5)) == [
        *("cats/0.png", "cats/1.png", "cats/2.png"),
        *("dogs/0.png", "dogs/1.png"),
    ]


def test_a_few_broken_images_are_named_and_left_out(tmp_path):
    folder = write_classes(tmp_path, rows=20)
    (folder / "cats" / "3.png").write_bytes(image_bytes()[:60])
    (folder / "dogs" / "4.png").write_text("no image")
    (folder / "dogs" / "notes.txt").write_text("")
    for _ in range(2):  # the second time from the cache
        dataset = load(folder)
        assert len(dataset.raw["image"]) == len(dataset.targets["label"]) == 38
        assert dataset.targets["label"].tolist() == [0] * 19 + [1] * 19
        ignored, broken = dataset.notes
        assert ignored == "1 files are no images and left out: dogs/notes.txt"
        assert broken.startswith(f"2 of 40 images cannot be read and are left out: {folder}/cats/3.png: ")
        assert broken.endswith(f"{folder}/dogs/4.png: it is no image")
    np.testing.assert_array_equal(
        dataset.raw["image"][3], np.asarray(Image.open(folder / "cats/4.png").resize((5, 6), Image.Resampling.BILINEAR))
    )


def prepared(path, split=None, **options):
    split = Split(**split or {}).model_dump()
    options = {"path": str(path), "height": 6, "width": 5, **options}
    return prepare_data("image_folder", options, context=DataContext(), split=split, seed=1)


@pytest.mark.parametrize("color", ["rgb", "grayscale"])
def test_predict_prepares_as_training_does(tmp_path, color):
    folder = write_classes(tmp_path / "a", rows=12)
    data = prepared(folder, color=color)
    encoder = ImageEncoder.from_state(json.loads(json.dumps(data.encoder.get_state())))
    rows = np.arange(24)
    trained = tf.function(lambda i: data.encoder.batch({"image": tf.constant(data.arrays["image"])}, i))(rows)
    names = sorted(folder.rglob("*.png"), key=lambda p: (p.parent.name, int(p.stem)))
    for sources in ([folder], [zipped(folder, tmp_path / "a.zip")], names, [folder / "cats", folder / "dogs"]):
        raw = encoder.read(sources)
        assert encoder.row_count(raw) == 24
        np.testing.assert_array_equal(encoder.batch(encoder.apply(raw), rows), trained)
    assert encoder.describe(raw, 10) == str(folder / "cats" / "10.png")
    assert float(trained.numpy().max()) <= 1.0


def test_images_above_the_memory_limit_stay_in_the_file(tmp_path):
    folder = write_classes(tmp_path, rows=12)
    mapped, loaded = prepared(folder, memory_limit_mib=0), prepared(folder)
    assert isinstance(mapped.arrays["image"], np.memmap)
    assert mapped.notes[:1] == ["the images (0 MiB) are read from the cache file, not from memory"]
    assert mapped.fingerprint == loaded.fingerprint
    rows = np.array([3, 20])
    np.testing.assert_array_equal(mapped.encoder.batch(mapped.arrays, rows), loaded.encoder.batch(loaded.arrays, rows))


def test_a_run_predicts_files_as_it_scored_them(tmp_path, outputs):
    folder = write_classes(tmp_path / "a", rows=12)
    config = config_from_mapping(
        {
            "name": "own",
            "data": {"name": "image_folder", "path": str(folder), "height": 6, "width": 5},
            "split": {"kind": "head", "validation": 8, "test": 8},
            "model": {"name": "mlp", "hidden": [4]},
            "training": {"epochs": 1, "tensorboard": False},
            "runtime": {"jit_compile": False},
        }
    )
    run = train(config, outputs=outputs)
    split = predict(run, load_config(run.config_file), split="test").rows
    named = predict(
        run, load_config(run.config_file), [str(folder / "dogs" / f"{row}.png") for row in range(4, 12)]
    ).rows
    assert [row["input"] for row in named] == [str(folder / "dogs" / f"{row}.png") for row in range(4, 12)]
    assert [row["probability"] for row in named] == [row["probability"] for row in split]


def test_splits_share_no_file_and_have_both_classes(tmp_path):
    data = prepared(write_classes(tmp_path, rows=20), {"validation": 0.25})
    sets = {name: set(rows.tolist()) for name, rows in data.splits.items()}
    assert set.union(*sets.values()) == set(range(40))
    assert sum(map(len, sets.values())) == 40
    for rows in data.splits.values():
        assert data.targets["label"][rows].mean() == 0.5


def test_given_parts_are_the_splits(tmp_path):
    data = prepared(write_classes(tmp_path, rows=4), per_class={"training": 2, "validation": 1, "test": 1})
    assert data.split_kind == "given"
    assert {name: rows.tolist() for name, rows in data.splits.items()} == {
        "training": [0, 1, 2, 3],
        "validation": [4, 5],
        "test": [6, 7],
    }


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_thousand_cats_and_dogs():
    dataset = image_folder(
        DataContext(),
        path="cats_vs_dogs/dogs-vs-cats_first500.zip",
        per_class={"training": 300, "validation": 100, "test": 100},
    )
    assert dataset.raw["image"].shape == (1000, 150, 150, 3)
    assert dataset.tasks["label"].labels == ("cat", "dog")
    assert {part: len(rows) for part, rows in dataset.parts.items()} == {
        "training": 600,
        "validation": 200,
        "test": 200,
    }
    assert files(dataset, "validation")[:1] == ["train/cat.300.jpg"]
    assert files(dataset, "test")[-1:] == ["train/dog.499.jpg"]
    assert dataset.notes == []


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_cifar_pictures():
    dataset = image_folder(DataContext(), path="cifar10/cifar10_jpeg_subset.zip", height=32, width=32)
    assert {part: len(rows) for part, rows in dataset.parts.items()} == {"training": 8600, "test": 1900}
    task = dataset.tasks["label"]
    counts = np.bincount(dataset.targets["label"], minlength=10)
    assert dict(zip(task.labels, counts.tolist(), strict=True)) == {
        **dict.fromkeys(("airplane", "automobile", "bird", "cat", "deer", "dog", "horse", "ship", "truck"), 500),
        "frog": 6000,
    }


def test_the_sample_is_refused():
    with pytest.raises(DataError, match="no generated stand-in for your own images"):
        image_folder(DataContext(sample=True), path="a")


def test_a_zip_is_never_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for label in ("a", "b"):
            archive.writestr(f"{label}/0.png", image_bytes())
    before = set(tmp_path.iterdir())
    load(tmp_path / "a.zip")
    assert set(tmp_path.iterdir()) == before
