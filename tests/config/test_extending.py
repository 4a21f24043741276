import os

import pytest

from dlrun.config.extending import MOST_CHAIN, MOST_FILES, read_config
from dlrun.config.nodes import to_plain
from dlrun.errors import ConfigError


def chain(folder, count):
    """`0.yaml` extends `1.yaml` extends ..., `count` files in all."""
    for number in range(count - 1):
        (folder / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    (folder / f"{count - 1}.yaml").write_text("data: digits\n")
    return folder / "0.yaml"


def test_a_chain_of_usual_length_is_followed(tmp_path):
    assert to_plain(read_config(chain(tmp_path, MOST_CHAIN + 1))) == {"data": {"name": "digits"}}


def test_a_chain_without_end_is_refused_with_its_place(tmp_path):
    with pytest.raises(ConfigError, match=rf"20\.yaml:1:10: more than {MOST_CHAIN} files extend one another"):
        read_config(chain(tmp_path, 1500))


def test_files_that_double_at_each_step_are_refused_before_they_grow(tmp_path):
    for number in range(15):
        (tmp_path / f"{number}.yaml").write_text(f"extends: [{number + 1}.yaml, {number + 1}.yaml]\n")
    (tmp_path / "15.yaml").write_text("data: digits\n")
    with pytest.raises(ConfigError, match=rf"extends leads to more than {MOST_FILES} files") as caught:
        read_config(tmp_path / "0.yaml")
    assert len(str(caught.value)) < 60_000


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("pipe", "is a named pipe, not a config file"),
        (".", "is a folder, not a config file"),
        ("/dev/zero", "is too large for a config"),
        ('"a\\0b"', "extends names no path"),
        ("a" * 5000, "extends names no path"),
        ("~no_such_user/x.yaml", "which does not exist"),
    ],
)
def test_what_is_no_file_is_refused_with_the_place_that_names_it(tmp_path, named, message):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.yaml").write_text(f"extends: {named}\n")
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(tmp_path / "a.yaml")
    assert str(caught.value).startswith(f"error: {tmp_path}/a.yaml:1:10: ")
