import os
import pickle
import zipfile

import numpy as np
import pytest

from dlrun.data._npz import read_array, read_npy, read_ragged
from dlrun.errors import DataError


def save(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def ragged(*rows):
    found = np.empty(len(rows), object)
    found[:] = rows
    return found


def raw_member(path, stream, shape=(1,)):
    header = f"{{'descr': '|O', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + stream
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", content)
    return path


def test_ragged_rows_come_back(tmp_path):
    path = save(tmp_path / "a.npz", x=ragged([1, 2, 70000], [], [3]), y=np.array([1, 0, 1]))
    assert [row.tolist() for row in read_ragged(path, "x")] == [[1, 2, 70000], [], [3]]
    assert read_array(path, "y").tolist() == [1, 0, 1]


def test_rows_that_are_arrays_come_back(tmp_path):
    path = save(tmp_path / "a.npz", x=ragged(np.array([1, 2]), np.array([3])))
    assert [row.tolist() for row in read_ragged(path, "x")] == [[1, 2], [3]]


class Malicious:
    def __reduce__(self):
        return os.system, ("touch owned",)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = raw_member(tmp_path / "a.npz", pickle.dumps(Malicious()))
    with pytest.raises(DataError, match=r"the file wants to run (posix|nt)\.system, which no data needs"):
        read_ragged(path, "x")
    assert not (tmp_path / "owned").exists()


class Huge:
    def __reduce__(self):
        return np.ndarray, ((10**13,), "b")


def test_a_stream_cannot_reserve_memory(tmp_path):
    with pytest.raises(DataError, match="damaged or not what it should be"):
        read_ragged(raw_member(tmp_path / "a.npz", pickle.dumps(Huge())), "x")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("dlrun.data._npz.MOST_BYTES", 1000)
    path = save(tmp_path / "a.npz", y=np.zeros(100_000))
    with pytest.raises(DataError, match="the array y is larger than"):
        read_array(path, "y")


def broken(tmp_path, kind):
    path = save(tmp_path / "a.npz", x=ragged([1], [2]), y=np.array([1.0, 2.0]), s=np.array(["a"]), t=ragged(["a"]))
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "text":
        path.write_text("no archive")
    return path


@pytest.mark.parametrize(
    ("kind", "member", "message"),
    [
        ("whole", "z", "there is no array z"),
        ("whole", "y", "an array of float64 with shape"),
        ("whole", "t", "t does not hold rows of integers"),
        ("cut", "x", "damaged or not what it should be"),
        ("text", "x", "File is not a zip file"),
    ],
)
def test_a_broken_file_is_named(tmp_path, kind, member, message):
    path = broken(tmp_path, kind)
    with pytest.raises(DataError, match=message) as caught:
        read_ragged(path, member)
    assert str(path) in str(caught.value)


def test_a_pickled_array_is_not_read_as_numbers(tmp_path):
    with pytest.raises(DataError, match="Object arrays cannot be loaded"):
        read_array(broken(tmp_path, "whole"), "x")


def test_an_array_too_large_for_the_memory_is_told(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("numpy.lib.format.read_array", fail)
    with pytest.raises(DataError, match="it asks for more memory than there is"):
        read_array(save(tmp_path / "a.npz", y=np.zeros(3)), "y")


def test_one_long_row_used_in_many_places_is_refused_before_it_grows(tmp_path):
    rows = np.empty(1000, object)
    rows[:] = [[1] * 100_000] * 1000  # 200 kB, and 400 MB as numbers
    with pytest.raises(DataError, match="the rows of x are longer than 256 MiB together"):
        read_ragged(save(tmp_path / "a.npz", x=rows), "x")


def npy(header, content=b"", version=1):
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content


def described(dtype, shape):
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()


HEADERS = {
    "more numbers than bytes": (npy(described("<f8", "(1000000000000,)"), b"\0" * 16), "in 16 bytes"),
    "a negative shape": (npy(described("<f8", "(-2, -1)"), b"\0" * 16), "in 16 bytes"),
    "a trillion empty texts": (npy(described("<U0", "(1000000000000,)")), "in 0 bytes"),
    "brackets without end": (npy(b"[" * 9000), "damaged"),
    "signs without end": (npy(b"-" * 9000 + b"1"), "damaged"),
    "a header of a gigabyte": (npy(b"\0", version=2)[:8] + (2**30).to_bytes(4, "little"), "a header of 1,073,741,824"),
    "a structure of objects": (
        npy(b"{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (1,)}\n"),
        "Object arrays",
    ),
    "nothing": (b"", "damaged"),
}


@pytest.mark.parametrize(("content", "message"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_lies_is_refused(tmp_path, content, message):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(DataError, match=message):
        read_array(tmp_path / "a.npz", "x")
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_npy(tmp_path / "a.npy")
