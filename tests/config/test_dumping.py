import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlrun.config.dumping import dump_config, dump_lines, scalar
from dlrun.config.nodes import to_plain
from dlrun.config.yaml_reader import parse_yaml, read_yaml
from dlrun.errors import ConfigError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(0, 9), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, min_size=1, max_size=5))
def test_what_is_written_is_read_back_by_this_and_by_any_reader(values):
    text = "\n".join(dump_lines(values)) + "\n"
    assert to_plain(parse_yaml(text, "a.yaml")) == values
    assert yaml.safe_load(text) == values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-07, "1.0e-07"),
        (1e22, "1.0e+22"),
        (0.001, "0.001"),
        (float("inf"), ".inf"),
        ("yes", '"yes"'),
        ("1e-3", '"1e-3"'),
        ("12:30", '"12:30"'),
        ("a, b", '"a, b"'),
        ("/data/x.csv", "/data/x.csv"),
        ("two words", "two words"),
        (True, "true"),
        (None, "null"),
    ],
)
def test_scalars_are_written_so_that_their_type_survives(value, text):
    assert scalar(value) == text


@pytest.mark.parametrize("lines", range(3, 12, 4))
def test_a_written_config_that_is_cut_between_two_lines_is_refused(digits, tmp_path, lines):
    text = dump_config(digits())
    file = tmp_path / "config.yaml"
    file.write_text("".join(text.splitlines(keepends=True)[:-lines]))
    with pytest.raises(ConfigError, match=r"config\.yaml is cut off: its last line is missing"):
        read_yaml(file)
    file.write_text(text + "# a remark of the user\n")
    assert read_yaml(file)
