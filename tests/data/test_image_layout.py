import pytest

from dlrun.data._image_files import natural
from dlrun.data._image_layout import arrange, in_order, take_at_most

CASES = {
    "class folders": (["cats/1.jpg", "dogs/1.jpg"], "auto", {"cats/1.jpg": ("", "cats"), "dogs/1.jpg": ("", "dogs")}),
    "wrapped": (["PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg"], "auto", {"PetImages/Cat/1.jpg": ("", "Cat")}),
    "folders in classes": (["cats/a/1.jpg", "dogs/b/1.jpg"], "auto", {"cats/a/1.jpg": ("", "cats")}),
    "named files": (["cat.0.jpg", "dog.0.jpg"], "auto", {"cat.0.jpg": ("", "cat"), "dog.0.jpg": ("", "dog")}),
    "named files in train": (["train/cat.0.jpg", "train/dog.0.jpg"], "auto", {"train/cat.0.jpg": ("", "cat")}),
    "only train": (["a/train/cats/1.jpg", "a/train/dogs/1.jpg"], "auto", {"a/train/cats/1.jpg": ("", "cats")}),
    "parts": (
        ["a/train/cats/1.jpg", "a/train/dogs/1.jpg", "a/Val/cats/1.jpg", "a/test/dogs/1.jpg"],
        "auto",
        {"a/Val/cats/1.jpg": ("validation", "cats"), "a/test/dogs/1.jpg": ("test", "dogs")},
    ),
    "parts of named files": (
        ["train/cat.0.jpg", "train/dog.0.jpg", "test/cat.1.jpg"],
        "auto",
        {"test/cat.1.jpg": ("test", "cat"), "train/dog.0.jpg": ("training", "dog")},
    ),
    "names stated": (["x/cat.0.jpg", "y/dog.0.jpg"], "file_name", {"x/cat.0.jpg": ("", "cat")}),
    "folders stated": (["x/cat.0.jpg", "y/dog.0.jpg"], "folder", {"x/cat.0.jpg": ("", "x")}),
    "classes named as parts": (["val/1.jpg", "test/1.jpg"], "auto", {"val/1.jpg": ("", "val")}),
}


@pytest.mark.parametrize(("names", "label_from", "expected"), CASES.values(), ids=CASES)
def test_parts_and_classes_come_from_the_names(names, label_from, expected):
    pictures, without = arrange(names, label_from, "here")
    found = {picture.name: (picture.part, picture.label) for picture in pictures}
    assert found == found | expected
    assert (sorted(found), without) == (sorted(names), [])


@pytest.mark.parametrize(
    ("names", "without"),
    [
        (["train/cat.0.jpg", "train/dog.0.jpg", "test/1.jpg"], ["test/1.jpg"]),  # Kaggle's test part has no labels
        (["cats/1.jpg", "dogs/1.jpg", "cover.jpg"], ["cover.jpg"]),
        (["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "cover.jpg"], ["cover.jpg"]),
    ],
)
def test_images_without_a_class_are_told(names, without):
    assert arrange(names, "auto", "here")[1] == without


def test_numbers_in_names_count():
    assert sorted(["b1", "a10", "a9", "a9b", "A1", "10", "9"], key=natural) == [
        "9",
        "10",
        "A1",
        "a9",
        "a9b",
        "a10",
        "b1",
    ]


def test_numbers_of_any_length_can_be_compared():
    assert sorted(["a" + "9" * 5000, "a007", "a12"], key=natural)[:2] == ["a007", "a12"]


def test_rows_are_in_order_of_part_and_class():
    names = ["test/b/1.jpg", "train/b/1.jpg", "train/a/2.jpg", "train/a/10.jpg", "test/a/1.jpg"]
    pictures = in_order(arrange(names, "auto", "here")[0])
    assert [p.name for p in pictures] == [names[2], names[3], names[1], names[4], names[0]]
    assert [p.name for p in take_at_most(pictures, 4)] == [names[2], names[1], names[4], names[0]]
