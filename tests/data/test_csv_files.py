import gzip
import io
import sys

import pytest

from dlrun.data._csv_files import Form, read_table
from dlrun.data._text_files import read_text
from dlrun.errors import DataError


def write(tmp_path, text, name="a.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "age,name\n1,x\n2,y\n"),
        ("a.csv", "age;name\n1;x\n2;y\n"),
        ("a.txt", "age\tname\n1\tx\n2\ty\n"),
        ("a.txt", "age|name\n1|x\n2|y"),
        ("a.data", "  age   name\n  1  x\n  2  y \n"),
        ("a.csv", "age, name\r\n1, x\r\n2, y\r\n\r\n"),
        ("a.csv", '\ufeff"age","name"\n"1","x"\n"2","y"\n'),
    ],
    ids=["comma", "semicolon", "tab", "pipe", "spaces", "windows", "bom-and-quotes"],
)
def test_delimiter_and_header_are_found(tmp_path, name, text):
    table = read_table(write(tmp_path, text, name), Form())
    assert table.columns == {"age": ["1", "2"], "name": ["x", "y"]}
    assert table.named


def test_a_tsv_file_may_hold_commas_everywhere(tmp_path):
    table = read_table(write(tmp_path, "a\tb\n1,5\t2,5\n", "a.tsv"), Form())
    assert table.columns == {"a": ["1,5"], "b": ["2,5"]}


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_table(path, Form()).columns == {"a": ["1"], "b": ["2"]}


def test_quotes_may_hold_delimiters_and_line_ends(tmp_path):
    table = read_table(write(tmp_path, 'name,age\n"Braund, ""Owen""\nHarris",22\nx,3\n'), Form())
    assert table.columns["name"] == ['Braund, "Owen"\nHarris', "x"]
    assert table.place(1, "age").endswith("a.csv:4: column age")


def test_quoted_line_ends_beyond_the_sample_do_not_disturb(tmp_path):
    rows = "".join(f'"a\nb",{k}\n' for k in range(100))
    assert read_table(write(tmp_path, "text,number\n" + rows), Form()).rows == 100


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("1,2\n3,4\n", False),
        ("a,1\nb,2\n", False),
        ("a,b\nc,d\ne,f\n", True),
        ("red,small\nblue,big\nred,big\n", False),
        ("a,a\n1,2\n", True),
        (",x\n0,5\n1,6\n", True),
        ("?,b\nc,d\n", False),
        ("x,?\ny,z\n", False),
        ("x,y\n", False),
    ],
)
def test_a_header_is_told_from_a_row(tmp_path, text, named):
    path = write(tmp_path, text)
    if text.startswith("a,a"):
        with pytest.raises(DataError, match=r"a\.csv:1: two columns have the name 'a'"):
            read_table(path, Form())
    elif text.startswith("?"):
        assert read_table(path, Form()).named in (True, False)
    else:
        assert read_table(path, Form()).named is named


def test_a_known_name_makes_the_first_row_a_header(tmp_path):
    path = write(tmp_path, "red,small\nblue,big\nred,big\n")
    assert read_table(path, Form(), ["small"]).named


def test_columns_without_a_header_are_numbered(tmp_path):
    assert list(read_table(write(tmp_path, "1,2\n"), Form()).columns) == ["column_1", "column_2"]


def test_a_comment_line_before_the_table_is_passed_over(tmp_path):
    table = read_table(write(tmp_path, "|1x3 Cross validator\n25, Private\n26, State-gov\n"), Form())
    assert table.columns["column_2"] == ["Private", "State-gov"]
    assert table.place(0).endswith("a.csv:2")


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))
    assert read_table("-", Form()).columns == {"a": ["1"], "b": ["2"]}


def message(call):
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


BROKEN = [
    ("", {}, "error: a.csv: the file is empty"),
    ("\n \n", {}, "error: a.csv: the file is empty"),
    ("a,b\n", {"header": True}, "error: a.csv: the file has a header but no rows"),
    (
        "a,b\n1,2\n3,4,5\n",
        {},
        "error: a.csv:3: the row has 3 cells, the first row has 2\n"
        "  received  '3', '4', '5'\n"
        "  hint      look for a delimiter too much or too little",
    ),
    (
        'a,b\n1,2\n"3,4\n5,6\n7,8\n',
        {},
        "error: a.csv:3: the row has 1 cells, the first row has 2\n"
        "  received  '3,4\\n5,6\\n7,8\\n', spread over lines 3 to 5\n"
        "  hint      look for a quote that is not closed",
    ),
    (
        "a,b,a\n1,2,3\n",
        {},
        "error: a.csv:1: two columns have the name 'a'\n"
        "  received  columns 1 and 3\n"
        "  hint      rename one, or set header: false and name columns by number",
    ),
    (
        "a,b\n1,2\n",
        {"delimiter": "commma"},
        "error: 'commma' is no delimiter\n  expected  one character, auto, comma, semicolon, tab, pipe, space",
    ),
    ("a,b\n1,\x00\n", {}, "error: a.csv: this is a binary file, not text"),
    ("a,b\n1,2\n", {"encoding": "utf-99"}, "error: there is no encoding 'utf-99'"),
]


@pytest.mark.parametrize(("text", "options", "expected"), BROKEN)
def test_a_broken_file_is_told_exactly(tmp_path, monkeypatch, text, options, expected):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, text)
    assert message(lambda: read_table("a.csv", Form(**options))) == expected


def test_a_wrong_encoding_names_the_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a,b\n1,2\nT (°C),3\n", encoding="latin-1")
    assert message(lambda: read_text("a.csv")) == (
        "error: a.csv:3: the text is not utf-8: invalid start byte\n"
        "  received  byte 0xb0\n"
        "  hint      set encoding: latin-1, or the one the file was saved in"
    )
    assert "T (°C)" in read_text("a.csv", "latin-1")


def test_utf_16_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a,b\n1,2\n", encoding="utf-16")
    assert "hint      set encoding: utf-16" in message(lambda: read_text("a.csv"))
    assert read_table("a.csv", Form(encoding="utf-16")).columns == {"a": ["1"], "b": ["2"]}


def test_a_missing_file_a_folder_and_a_cut_archive_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" * 100)[:-9])
    (tmp_path / "b.csv.gz").write_bytes(b"a,b\n1,2\n")
    assert message(lambda: read_text("c.csv")) == "error: c.csv: there is no such file"
    assert message(lambda: read_text("folder")) == "error: folder: this is a folder, not a file"
    assert message(lambda: read_text("a.csv.gz")).startswith("error: a.csv.gz: the compressed file is damaged or cut")
    assert message(lambda: read_text("b.csv.gz")).startswith("error: b.csv.gz: the file cannot be read: Not a gzipped")


def test_an_endless_cell_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'a,b\n1,"' + "x" * 200_000)
    assert message(lambda: read_table("a.csv", Form())).startswith("error: a.csv:2: the file cannot be read as CSV")


def test_a_compressed_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("dlrun.data._text_files.MOST_BYTES", 1000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2\n" * 1000))
    assert "a.csv.gz: the file is larger than 1e-06 GB" in message(lambda: read_text(tmp_path / "a.csv.gz"))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "-"])
def test_what_is_read_of_a_text_is_bounded_and_the_bound_can_be_set(tmp_path, monkeypatch, name):
    content = b"1,2\n" * 1000
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLRUN_READ_LIMIT_GB", "2e-6")
    found = message(lambda: read_text(name))
    assert "is larger than 2e-06 GB" in found
    assert "$DLRUN_READ_LIMIT_GB" in found
    monkeypatch.setenv("DLRUN_READ_LIMIT_GB", "1")
    sys.stdin.seek(0)
    assert len(read_text(name)) == 4000


@pytest.mark.parametrize("wish", ["much", "0", "-1", "nan", "inf"])
def test_a_bound_that_is_no_size_is_named(tmp_path, monkeypatch, wish):
    monkeypatch.setenv("DLRUN_READ_LIMIT_GB", wish)
    assert "$DLRUN_READ_LIMIT_GB is no size" in message(lambda: read_text(write(tmp_path, "1,2\n")))


def test_rows_of_too_many_cells_are_named(tmp_path):
    path = write(tmp_path, "," * 100_000 + "\n")
    assert "a row has 100,001 cells" in message(lambda: read_table(path, Form()))


def test_a_nul_byte_deep_in_a_text_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "1,2\n" * 40_000 + "1,\0\n")
    assert message(lambda: read_text("a.csv")).startswith("error: a.csv:40001: a NUL byte stands in the text")


@pytest.mark.parametrize("encoding", ["a\0b", "rot13", "zip", "nonsense"])
def test_an_encoding_that_is_none_is_named(tmp_path, encoding):
    assert "there is no encoding" in message(lambda: read_text(write(tmp_path, "1,2\n"), encoding))


@pytest.mark.parametrize(("encoding", "text"), [("unicode_escape", "a\\ud800"), ("utf-7", "+2AA-")])
def test_half_a_character_is_named(tmp_path, encoding, text):
    """It could not be written into the run later."""
    assert ":2: half a character (U+D800)" in message(lambda: read_text(write(tmp_path, f"a\n{text}\n"), encoding))


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/null"])
def test_a_device_is_not_read(place):
    assert "is a device, not a file" in message(lambda: read_text(place))
