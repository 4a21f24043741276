"""Folders and archives of images that cannot be used, each with its message."""

import re
import struct
import zipfile
import zlib

import pytest
from image_files import image_bytes, picture, write_classes, write_images, zipped

from dlrun.data import _image_files
from dlrun.data._image_decoding import Look
from dlrun.data._images import ImageEncoder
from dlrun.data._sources import DataContext
from dlrun.data.image_folder import image_folder
from dlrun.errors import DataError


def load(path, **options):
    return image_folder(DataContext(), **{"path": str(path), "height": 6, "width": 5, **options})


def huge_png(width, height):
    """The head of a PNG that promises so many pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + b"\0\0\0\x09IDAT"


def empty(folder):
    return folder


def only_text(folder):
    (folder / "a.txt").write_text("a")
    return folder


def one_class(folder):
    return write_classes(folder, 3, labels=("cats",))


def one_class_in_train(folder):
    return write_classes(folder / "train", 3, labels=("cats",)).parent


def no_class(folder):
    return write_images(folder, ["1.png", "2.png"])


def truncated(folder):
    write_classes(folder, form="jpg")
    content = (folder / "cats" / "2.jpg").read_bytes()
    (folder / "cats" / "2.jpg").write_bytes(content[:-20])
    return folder


def text_as_image(folder):
    write_classes(folder)
    (folder / "dogs" / "1.png").write_text("<html>not found</html>")
    return folder


def too_many_pixels(folder):
    write_classes(folder)
    (folder / "cats" / "9.png").write_bytes(huge_png(12_000, 10_000))
    return folder


def bomb(folder):
    write_classes(folder)
    (folder / "cats" / "9.png").write_bytes(huge_png(60_000, 60_000))
    return folder


def dangling(folder):
    write_classes(folder)
    (folder / "cats" / "9.png").symlink_to(folder / "nowhere.png")
    return folder


def parts_and_classes(folder):
    for part in ("train", "test"):
        write_classes(folder / part, 2)
    write_images(folder, ["birds/1.png"])
    return folder


def class_only_in_test(folder):
    write_classes(folder / "train", 2)
    write_classes(folder / "test", 2, labels=("cats", "dogs", "owls"))
    return folder


def no_zip(folder):
    (folder / "a.zip").write_text("this is no archive")
    return folder / "a.zip"


def damaged_zip(folder):
    zipped(write_classes(folder / "a"), folder / "a.zip")
    content = (folder / "a.zip").read_bytes()
    (folder / "a.zip").write_bytes(content[: len(content) // 2])
    return folder / "a.zip"


def damaged_in_zip(folder):
    zipped(write_classes(folder / "a"), folder / "a.zip")
    content = bytearray((folder / "a.zip").read_bytes())
    content[120:140] = b"x" * 20
    (folder / "a.zip").write_bytes(content)
    return folder / "a.zip"


def leading_out(folder):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("../cats/1.png", image_bytes())
    return folder / "a.zip"


def empty_zip(folder):
    zipfile.ZipFile(folder / "a.zip", "w").close()
    return folder / "a.zip"


def nowhere(folder):
    return folder / "nowhere"


BROKEN = [
    (empty, "HERE: the folder is empty\n  expected  image files in a folder for each class"),
    (only_text, "HERE: there are no images\n  received  1 other files: a.txt\n  expected  files that end in .jpg"),
    (one_class, "HERE: all 3 images belong to one class, 'cats'\n  expected  at least two folders of images"),
    (one_class_in_train, "HERE: all 3 images belong to one class, 'cats'"),
    (no_class, "HERE: no image belongs to a class\n  received  1.png, 2.png\n  expected  a folder for each class"),
    (truncated, "HERE: 1 of 8 images cannot be read (12.5%)\n  received  HERE/cats/2.jpg: image file is truncated"),
    (text_as_image, "HERE/dogs/1.png: it is no image\n  expected  at most 5.0%\n  hint      repair or remove them"),
    (too_many_pixels, "HERE/cats/9.png: 12000 x 10000 are too many pixels, more than 89,478,485"),
    (bomb, "HERE/cats/9.png: it has too many pixels, more than 89,478,485"),
    (dangling, "HERE/cats/9.png: No such file or directory"),
    (parts_and_classes, "HERE: beside test, train there are other folders with images\n  received  birds"),
    (class_only_in_test, "HERE: there are no training images of owls"),
    (no_zip, "HERE is neither a folder nor a zip archive\n  expected  a folder of images, or a .zip of one"),
    (damaged_zip, "HERE: the zip archive is damaged: File is not a zip file\n  hint      get it anew"),
    (damaged_in_zip, "HERE: 1 of 8 images cannot be read (12.5%)\n  received  HERE: cats/0.png: it is damaged: Bad"),
    (leading_out, "HERE: the name '../cats/1.png' leads out of the archive"),
    (empty_zip, "HERE: the archive is empty"),
    (nowhere, "HERE"),
]


@pytest.mark.parametrize(("make", "message"), BROKEN, ids=[make.__name__ for make, _ in BROKEN])
def test_what_cannot_be_used_is_named(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(DataError, match=re.escape(message.replace("HERE", str(path)))):
        load(path)


OPTIONS = [
    ({"height": 0}, "data.height is no size\n  received  0\n  expected  1 to 4096 pixels"),
    ({"width": 5000}, "data.width is no size"),
    ({"memory_limit_mib": -1}, "data.memory_limit_mib is no limit\n  expected  0 or more"),
    ({"max_images": 1}, "data.max_images leaves no two images"),
    ({"unreadable_fraction": 1.0}, "data.unreadable_fraction is no share\n  received  1"),
    (
        {"per_class": {"training": 3, "test": 2}},
        "the class cats has 4 images, too few for data.per_class\n"
        "  received  training: 3, test: 2 (2 for test)\n"
        "  hint      data.scale_per_class: true takes fewer for every part alike; "
        "or shares: per_class: {training: 0.6, test: 0.4}",
    ),
    ({"per_class": {"train": 3}}, "data.per_class: 'train' is no part\n  expected  training, validation, test"),
    ({"per_class": {"training": 1.5}}, "data.per_class.training is neither a number of images nor a share"),
    ({"per_class": {"training": 0.9, "test": 0.2}}, "the shares of data.per_class are more than 1"),
    ({"per_class": {"test": 2}}, "data.per_class leaves nothing for training"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_that_cannot_be_met_are_named(tmp_path, options, message):
    with pytest.raises(DataError, match=re.escape(message)):
        load(write_classes(tmp_path), **options)


def test_a_class_that_lost_all_its_images_is_named(tmp_path):
    folder = write_classes(tmp_path, rows=30)
    write_images(folder, ["owls/1.png"])
    (folder / "owls" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match="none of the training images of owls can be read"):
        load(folder)


def test_a_file_that_is_too_large_is_named(tmp_path, monkeypatch):
    folder = write_classes(tmp_path)
    picture(size=(90, 90)).save(folder / "cats" / "3.png")
    monkeypatch.setattr("dlrun.data._image_decoding.MOST_FILE_BYTES", 2**12)
    monkeypatch.setattr(_image_files, "MOST_FILE_BYTES", 2**12)
    with pytest.raises(DataError, match=r"cats/3\.png: the file is larger than 0 MiB"):
        load(folder)


def test_links_that_lead_back_end(tmp_path):
    folder = write_classes(tmp_path)
    (folder / "cats" / "again").symlink_to(folder, target_is_directory=True)
    assert len(load(folder).raw["image"]) == 8


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.png", "b.png"], "1 of 2 images cannot be read\n  received  HERE/b.png: it is no image"),
        (["c.png"], "HERE/c.png: there is no such file"),
        (["d.zip"], "HERE/d.zip is neither a folder nor a zip archive"),
        (["e"], "HERE/e: the folder is empty"),
    ],
)
def test_predict_names_what_it_cannot_read(tmp_path, names, message):
    (tmp_path / "a.png").write_bytes(image_bytes())
    (tmp_path / "b.png").write_text("no image")
    (tmp_path / "d.zip").write_text("no archive")
    (tmp_path / "e").mkdir()
    encoder = ImageEncoder(Look(6, 5, "rgb", "bilinear"))
    with pytest.raises(DataError, match=re.escape(message.replace("HERE", str(tmp_path)))):
        encoder.read([tmp_path / name for name in names])


def test_predict_says_that_images_are_files():
    with pytest.raises(DataError, match="images cannot come from standard input"):
        ImageEncoder(Look(6, 5, "rgb", "bilinear")).read(["-"])
