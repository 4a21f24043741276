import os
from pathlib import Path

import pytest

from dlrun.config.nodes import find, to_plain
from dlrun.config.yaml_reader import parse_yaml, read_yaml
from dlrun.errors import ConfigError


def value_of(text):
    return to_plain(parse_yaml(f"key: {text}\n", "file.yaml"))["key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000", 1000),
        ("1_000.5", 1000.5),
        ("0x1F", 31),
        ("010", 10),
        ("-3", -3),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("0o17", "0o17"),
        ("0x", "0x"),
        ("0x_", "0x_"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("1e", "1e"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number():
    assert value_of(".nan") != value_of(".nan")


def test_every_key_and_value_knows_its_place():
    root = parse_yaml("data: digits\nmodel:\n  name: mlp\n  hidden: [16, 32]\n", "a.yaml")
    second = find(root, ("model", "hidden", 1))
    assert str(second.place) == "a.yaml:4:16"
    assert (second.place.length, second.place.text) == (2, "  hidden: [16, 32]")
    assert str(find(root, ("model", "hidden")).key_place) == "a.yaml:4:3"


def test_merge_keys_fill_in_what_is_not_there():
    text = "base: &base {a: 1, b: 2}\nother: &other {c: 3}\nkey: {<<: [*base, *other], b: 5}\n"
    assert to_plain(parse_yaml(text, "a.yaml"))["key"] == {"a": 1, "c": 3, "b": 5}


def test_whole_numbers_may_be_keys():
    assert value_of("{0: 1.0, 1: 2.5}") == {0: 1.0, 1: 2.5}


@pytest.mark.parametrize("key", ["true", "1.5", "~", "[a]", "{a: 1}", "{{a}}"])
def test_other_keys_are_refused(key):
    with pytest.raises(ConfigError, match="a key must be text"):
        parse_yaml(f"? {key}\n: 3\n", "a.yaml")


def test_an_alias_bomb_is_refused_before_it_grows():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match=r"bomb\.yaml:1:\d+: the file holds more than 20,000 values"):
        parse_yaml("\n".join(lines), "bomb.yaml")


@pytest.mark.parametrize("text", ["[" * 50_000, "[" * 70 + "]" * 70, "{a: " * 70 + "1" + "}" * 70, "- " * 5000])
def test_deep_nesting_is_refused_with_a_place(text):
    with pytest.raises(ConfigError, match=r"deep\.yaml:2:\d+: the values are nested too deeply, more than 64"):
        parse_yaml("key:\n  " + text, "deep.yaml")


def test_merges_of_merges_are_refused_before_they_grow():
    lines = ["a0: &a0 {x: 1, y: 2}"] + [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 30)]
    with pytest.raises(ConfigError, match="more than 20,000 values"):
        parse_yaml("\n".join(lines), "bomb.yaml")


def test_a_long_line_of_many_values_is_read_in_time_and_memory_of_its_length():
    """Each value once held a copy of the line up to itself."""
    root = parse_yaml("key: [" + "1," * 15_000 + "]", "a.yaml")
    last = find(root, ("key", 14_999)).place
    assert (last.column, last.cut, len(last.text)) == (30_005, 29_944, 63)


def test_the_caret_stands_below_its_place_in_a_long_line():
    with pytest.raises(ConfigError) as caught:
        parse_yaml("key: [" + "1, " * 500 + "!!python/none x" + ", 1" * 500 + "]", "a.yaml")
    line, caret = str(caught.value).splitlines()[1:3]
    assert line[caret.index("^") :].startswith("!!python/none x")


@pytest.mark.parametrize("escape", ["UFFFFFFFF", "U00110000", "UD8000000"])
def test_an_escape_of_no_character_is_refused_with_its_place(escape):
    with pytest.raises(ConfigError, match=r"a\.yaml:1:\d+: this escape stands for no character"):
        parse_yaml(f'key: "\\{escape}"', "a.yaml")


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfdata: digits\r\nseed: 3\r\n")
    assert to_plain(read_yaml(path)) == {"data": "digits", "seed": 3}


def test_a_missing_file_a_folder_and_a_file_without_rights_are_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "x.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match="is a folder"):
        read_yaml(tmp_path)


def test_a_file_without_rights_is_told(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(ConfigError, match="no permission"):
        read_yaml(tmp_path / "secret.yaml")


def test_a_named_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="is a named pipe"):
        read_yaml(tmp_path / "pipe.yaml")


def test_a_pipe_of_the_shell_is_read():
    reading, writing = os.pipe()
    os.write(writing, b"data: digits\n")
    os.close(writing)
    assert to_plain(read_yaml(Path(f"/dev/fd/{reading}"))) == {"data": "digits"}
    os.close(reading)


def test_a_device_without_end_is_refused():
    with pytest.raises(ConfigError, match="too large"):
        read_yaml(Path("/dev/zero"))


def test_a_file_in_utf_16_is_told(tmp_path):
    (tmp_path / "a.yaml").write_text("data: digits\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"a\.yaml:1:1: the file is UTF-16"):
        read_yaml(tmp_path / "a.yaml")


def test_a_huge_file_is_refused(tmp_path):
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a: " + b"x" * 5_000_000)
    with pytest.raises(ConfigError, match="too large"):
        read_yaml(path)


def test_a_long_line_is_shown_in_part():
    with pytest.raises(ConfigError) as caught:
        parse_yaml("key: !!python/none " + "x" * 10_000, "a.yaml")
    assert len(str(caught.value)) < 700
