import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._image_decoding import Look
from dlrun.data._images import ImageEncoder
from dlrun.data._prepare import prepare_dataset
from dlrun.data._sources import DataContext
from dlrun.data.digits import digits
from dlrun.data.fashion_mnist import fashion_mnist
from dlrun.data.image_folder import image_folder
from dlrun.errors import DataError


def test_one_class_alone_has_no_task():
    dataset = digits(DataContext(), classes=[3])
    assert len(dataset.raw["pixels"]) == 183  # the threes among the 1,797
    assert dataset.targets == dataset.tasks == {}


def test_two_classes_are_a_binary_task_in_the_order_of_the_set():
    dataset = digits(DataContext(), classes=["8", 3])
    assert dataset.tasks["digit"].labels == ("3", "8")
    assert set(dataset.targets["digit"]) == {0.0, 1.0}
    whole = digits(DataContext())
    threes = whole.raw["pixels"][whole.targets["digit"] == 3]
    np.testing.assert_array_equal(dataset.raw["pixels"][dataset.targets["digit"] == 0], threes)


def test_parts_keep_their_rows_of_the_chosen_classes():
    dataset = fashion_mnist(DataContext(sample=True), classes=["dress", "bag", "shirt"])
    assert [len(rows) for rows in dataset.parts.values()] == [600, 300]
    assert set(dataset.targets["article"]) == {0, 1, 2}


def test_a_class_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(DataError, match=r"no class 'shrit'[\s\S]*did you mean shirt"):
        fashion_mnist(DataContext(sample=True), classes=["shrit"])


def test_one_folder_of_images_is_taken_alone(tmp_path):
    from image_files import write_classes

    path = write_classes(tmp_path, rows=3)
    dataset = image_folder(DataContext(), path=str(path), height=6, width=6, classes=["dogs"], centred=True)
    assert [str(name) for name in dataset.columns["file"]] == ["dogs/0.png", "dogs/1.png", "dogs/2.png"]
    assert dataset.tasks == {}


def test_centred_pictures_lie_between_minus_one_and_one_and_stay_so_in_the_run():
    images = np.arange(2 * 2 * 2 * 3, dtype="uint8").reshape(2, 2, 2, 3)
    images[0, 0, 0, 0], images[1, 1, 1, 2] = 0, 255
    encoder = ImageEncoder(Look(2, 2, "rgb", "nearest"), centred=True)
    for one in (encoder, ImageEncoder.from_state(encoder.get_state())):
        values = np.asarray(one.batch({"image": images}, np.arange(2)))
        assert (values.min(), values.max()) == (-1, 1)
    assert "centred" not in ImageEncoder(Look(2, 2, "rgb", "nearest")).get_state()  # as older runs have it


def test_centred_numbers_of_a_data_set():
    encoder = digits(DataContext(), image=True, centred=True).encoder
    restored = ArrayEncoder.from_state(encoder.get_state())
    pixels = np.array([0, 8, 16], "uint8").reshape(3, 1, 1, 1)
    assert np.asarray(restored.batch({"image": pixels}, np.arange(3))).ravel().tolist() == [-1, 0, 1]


def test_data_of_one_class_can_be_split():
    dataset = digits(DataContext(), classes=[3])
    prepared = prepare_dataset(dataset, split=config_from_mapping({"data": "digits"}).split.model_dump(), seed=1)
    assert {name: len(rows) for name, rows in prepared.splits.items()} == {
        "training": 117,
        "validation": 29,
        "test": 37,
    }
