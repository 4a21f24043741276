import gzip

import numpy as np
import pytest

from dlrun.data import _cache, _word_vectors
from dlrun.data._word_vectors import vectors_of
from dlrun.errors import DataError

LINES = "the 1 -2.5 3e-1\n, 0 0 7\nfilm 4 5 6\nthe 9 9 9\n"
IDS = {"film": 1, "the": 2, "cat": 3}


def write(folder, text, name="v.txt"):
    content = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz"])
@pytest.mark.parametrize("header", ["", "4 3\n"])
def test_vectors_stand_at_the_ids_of_their_words(tmp_path, name, header):
    matrix, there = vectors_of(write(tmp_path, header + LINES, name), IDS, 5)
    assert matrix.dtype == "float32"
    np.testing.assert_allclose(matrix, [[0, 0, 0], [4, 5, 6], [1, -2.5, 0.3], [0, 0, 0], [0, 0, 0]])
    assert there.tolist() == [False, True, True, False, False]


def test_many_lines_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(_word_vectors, "_LINES", 3)
    path = write(tmp_path, "".join(f"w{k} {k} 0.5\n" for k in range(10)))
    matrix, there = vectors_of(path, {f"w{k}": k for k in range(10)}, 10)
    assert matrix[:, 0].tolist() == list(range(10))
    assert there.all()


def test_a_word_may_hold_blanks(tmp_path):
    matrix, _ = vectors_of(write(tmp_path, "a 1 2\n. . . 3 4\n"), {". . .": 0}, 1)
    assert matrix.tolist() == [[3, 4]]


def test_a_large_file_is_parsed_once(tmp_path, monkeypatch):
    monkeypatch.setattr(_cache, "WORTH_BYTES", 0)
    path = write(tmp_path, LINES)
    first = vectors_of(path, IDS, 5)
    monkeypatch.setattr(_word_vectors, "_read", pytest.fail)
    for one, other in zip(first, vectors_of(path, IDS, 5), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file holds no word vectors"),
        ("word\n", r"v\.txt:1: this is no line of word vectors\n  received  0 numbers"),
        ("a 1 2\nb 1\n", r"v\.txt:2: this is no line of word vectors\n  received  1 numbers\n.*a word and 2 numbers"),
        ("a 1 2\nb 1 x\n", r"v\.txt: in the lines from 1 on there is no number: .*x"),
        ("a 1 2\nb 1 nan\n", r"v\.txt:2: a number is not finite"),
        (b"a 1 2\n\xff 1 2\n", r"v\.txt:2: the word is not UTF-8"),
        (b"PK\x03\x04 1 2\n", "this is an archive(.|\n)*unpack it"),
    ],
)
def test_what_holds_no_vectors_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        vectors_of(write(tmp_path, text), IDS, 5)


def test_a_cut_archive_is_named(tmp_path):
    path = write(tmp_path, LINES * 100, "v.txt.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="the compressed file is damaged or cut short"):
        vectors_of(path, IDS, 5)
