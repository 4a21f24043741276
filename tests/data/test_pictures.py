import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from dlrun.config.loading import config_from_mapping
from dlrun.data._sources import DataContext
from dlrun.data.pictures import pictures
from dlrun.data_places import find_data
from dlrun.errors import DataError


def test_a_sample_of_scikit_learn_is_found_by_name():
    found = pictures(DataContext(), path="china.jpg")
    assert (found.raw["image"][0] == load_sample_image("china.jpg")).all()
    assert found.targets == {}
    assert find_data(config_from_mapping({"data": {"name": "pictures", "path": "china.jpg"}})).missing == []


def test_a_picture_of_the_user_comes_before_a_sample_of_that_name(tmp_path):
    Image.new("RGB", (40, 50), (1, 2, 3)).save(tmp_path / "china.jpg", quality=100)
    assert pictures(DataContext(folders=[tmp_path]), path="china.jpg").raw["image"].shape == (1, 50, 40, 3)


def test_all_pictures_get_the_size_of_the_first(tmp_path):
    Image.fromarray(np.full((100, 300, 3), 7, "uint8")).save(tmp_path / "wide.png")
    Image.fromarray(np.full((300, 100), 9, "uint8")).save(tmp_path / "grey.png")
    found = pictures(DataContext(config_folder=tmp_path), path=["wide.png", "grey.png"], height=50)
    assert found.raw["image"].shape == (2, 50, 150, 3)
    assert found.raw["image"][1].max() == found.raw["image"][1].min() == 9
    assert found.columns["file"].tolist() == ["wide.png", "grey.png"]


def test_a_picture_that_is_not_there_is_told():
    with pytest.raises(DataError, match=r"the data file nowhere\.jpg is not there"):
        pictures(DataContext(), path="nowhere.jpg")


@pytest.mark.parametrize("content", [b"no picture", b""])
def test_a_file_that_is_no_picture_is_told(tmp_path, content):
    (tmp_path / "text.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"text\.jpg cannot be read: it is no image"):
        pictures(DataContext(config_folder=tmp_path), path=["china.jpg", "text.jpg"])


def test_a_tiny_picture_is_told(tmp_path):
    Image.new("RGB", (300, 20)).save(tmp_path / "tiny.png")
    with pytest.raises(DataError, match="the picture is too small"):
        pictures(DataContext(config_folder=tmp_path), path="tiny.png")


def test_there_must_be_a_picture():
    with pytest.raises(DataError, match="there are no pictures"):
        pictures(DataContext(), path=[])
