import numpy as np
import pytest

from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._fingerprint import fingerprint, same_data
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
