import pytest

from dlrun.data._cache import cached_if_worth
from dlrun.data._folders import MOST_DEPTH, files_below
from dlrun.data._text_trees import read_tree
from dlrun.errors import DataError


def test_files_are_found_at_any_usual_depth_and_linked_folders_are_not_entered(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.txt").touch()
    (tmp_path / "a" / "2.txt").symlink_to(tmp_path / "a" / "b" / "1.txt")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    assert {path.name for path in files_below(tmp_path)} == {"1.txt", "2.txt"}


@pytest.mark.parametrize("read", [lambda p: read_tree(p, "utf-8"), lambda p: cached_if_worth("x", [p], [], None)])
def test_folders_nested_beyond_measure_are_refused(tmp_path, read):
    tmp_path.joinpath(*["d"] * (MOST_DEPTH + 2)).mkdir(parents=True)
    with pytest.raises(DataError, match="nested more than 64 deep"):
        read(tmp_path)
