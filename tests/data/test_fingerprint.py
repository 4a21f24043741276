import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._fingerprint import fingerprint, same_data
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.spec import Task

MARK = {"content": "a", "split": "b", "files": [{"name": "x"}]}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (MARK, MARK, True),
        (MARK, MARK | {"files": [], "rows": {"training": 3}}, True),
        (MARK, MARK | {"content": "c"}, False),
        (MARK, MARK | {"split": "c"}, False),
        (MARK, {}, False),
        (MARK, None, False),
        (None, MARK, False),
        (None, None, False),
        ({"files": []}, {"files": []}, False),
    ],
)
def test_the_same_data_has_the_same_content_and_split(first, second, same):
    assert same_data(first, second) is same


def test_shared_arrays_belong_to_the_content():
    def mark(value):
        dataset = Dataset(
            "series",
            {"start": np.arange(4)},
            {"next": np.arange(4.0)},
            ArrayEncoder("start", (1,)),
            {"next": Task("regression")},
            shared={"series": np.full(10, value)},
        )
        return fingerprint(dataset, {"training": np.arange(4)})

    assert same_data(mark(1.0), mark(1.0))
    assert not same_data(mark(1.0), mark(2.0))


def prepared(path, name="csv", **options):
    options["path"] = str(path)
    return prepare_data(name, options, context=DataContext(), split=Split().model_dump(), seed=1).fingerprint


def test_a_csv_in_another_folder_under_another_name_is_the_same_data(tmp_path):
    text = "size,sold\n" + "".join(f"{k % 5},{'yes' if k % 2 else 'no'}\n" for k in range(50))
    places = [tmp_path / "a" / "houses.csv", tmp_path / "b" / "c" / "other name.csv"]
    for place in places:
        place.parent.mkdir(parents=True)
        place.write_text(text)
    first, second = (prepared(place, target="sold") for place in places)
    assert same_data(first, second)
    assert first["classes"] == second["classes"] == {"sold": first["classes"]["sold"]}
    assert first["rows"] == {"training": 32, "validation": 8, "test": 10}
    places[1].write_text(text.replace("4,no", "5,no", 1))
    assert not same_data(first, prepared(places[1], target="sold"))


def test_texts_in_another_folder_are_the_same_data_and_a_moved_text_is_not(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b" / "c"]
    for folder in folders:
        for number in range(20):
            file = folder / ("good" if number % 2 else "bad") / f"{number:02}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"text number {number}")
    first = prepared(folders[0], "text_folder")
    assert same_data(first, prepared(folders[1], "text_folder"))
    (folders[1] / "bad" / "00.txt").rename(folders[1] / "good" / "00.txt")
    assert first["content"] != prepared(folders[1], "text_folder")["content"]
