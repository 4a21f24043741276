import io
import os
import pickle
import struct

import numpy as np
import pytest

from dlrun.data import _pickles
from dlrun.data._pickles import unpickle

DTYPE, NDARRAY, RECONSTRUCT = b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n"
EMPTY = b"\x80\x02" + RECONSTRUCT + NDARRAY + b"K\x00\x85C\x01b\x87R"


def array_stream(code, flags, content, shape=b"K\x01\x85", order=b"|"):
    """A pickle of an array whose dtype has these flags, and whose content is this."""
    kind = DTYPE + b"X\x02\x00\x00\x00" + code + b"\x89\x88\x87R"
    kind += b"(K\x03X\x01\x00\x00\x00" + order + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK" + bytes([flags]) + b"tb"
    return EMPTY + b"(K\x01" + shape + kind + b"\x89" + content + b"tb."


def nested_tuples(depth):
    """A tuple of two times the same tuple, of two times the same ..."""
    return b"K\x01" + b"".join(b"q%ch%c\x86" % (place, place) for place in range(depth))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        [1, 300, 70_000, -5, 2**40],
        {"labels": [1, 2], "names": ["a", "b"]},
        [[], [1], [125, 114, 46]],
        [True, False, None, "text", (1, 2), (1, 2, 3, 4)],
        list(range(2000)),
    ],
)
def test_plain_values_come_back(value, protocol):
    assert unpickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("dtype", ["<i4", ">i4", "u1", "<u8"])
def test_arrays_of_numbers_come_back(dtype, protocol):
    array = np.arange(6, dtype=dtype).reshape(2, 3)
    for given in (array, np.asfortranarray(array)):
        assert np.array_equal(unpickle(pickle.dumps(given, protocol)), array)


def test_rows_with_the_number_of_an_instruction_in_them_are_no_dicts():
    rows = np.empty(100, object)
    rows[:] = [np.array([125, 125]) for _ in range(100)]  # 125 is the code of a new dict
    found = unpickle(pickle.dumps(rows, 4))
    assert [list(row) for row in found] == [[125, 125]] * 100


class Runs:
    def __reduce__(self):
        return os.system, ("touch owned",)


NOT_OBEYED = {
    "code": (pickle.dumps(Runs()), r"wants to run (posix|nt)\.system"),
    "an address of memory as an object": (array_stream(b"O8", 0, b"C\x08AAAAAAAA"), "without a list"),
    "numbers that are freed as objects": (array_stream(b"i8", 1, b"K\x05"), "without its numbers"),
    "a shape larger than the content": (array_stream(b"i8", 0, b"C\x08AAAAAAAA", b"J\x00\x00\x00\x7f\x85"), "reshape"),
    "a shape of a trillion objects": (array_stream(b"O8", 63, b"]", b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85"), "list"),
    "a negative shape": (array_stream(b"i8", 0, b"C\x08AAAAAAAA", b"J\xff\xff\xff\xff\x85"), "unknown shape"),
    "an unknown order of bytes": (array_stream(b"i8", 0, b"C\x08AAAAAAAA", order=b"?"), "unknown order"),
    "floats": (array_stream(b"f8", 0, b"C\x08AAAAAAAA"), "another type"),
    "a type named by nested tuples": (b"\x80\x02" + DTYPE + nested_tuples(60) + b"\x89\x88\x87R.", "another type"),
    "memory for an array": (pickle.dumps(np.ndarray)[:-1] + b"K\x05\x85R.", "unknown way"),
    "a memo of gigabytes": (b"\x80\x02]r" + struct.pack("<I", 2**31) + b".", "longer than the file"),
    "a change of what reads it": (b"\x80\x02" + DTYPE + b"N}X\x04\x00\x00\x00makeNs\x86b.", "change what reads it"),
    "keys that take for ever to hash": (b"\x80\x02}" + nested_tuples(60) + b"K\x01s.", "over and over"),
    "an object of a class": (b"\x80\x02" + DTYPE + b")\x81.", "no data needs: 0x81"),
    "a persistent object": (b"\x80\x02K\x01Q.", "no data needs: 0x51"),
    "a registered extension": (b"\x80\x02\x82\x01.", "no data needs: 0x82"),
    "a copy of the top": (b"\x80\x02K\x012.", "no data needs: 0x32"),
    "a buffer of 2**62 bytes": (b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".", "no data needs: 0x96"),
    "a text longer than the file": (b"\x80\x02X\xff\xff\xff\x7fabc.", "it is cut"),
    "an end that is missing": (b"\x80\x02]", "it is cut"),
    "nothing": (b"", "it is cut"),
    "a name of megabytes": (b"\x80\x02c" + b"a" * 10**6 + b"\nb\n.", "no data needs: 0x63"),
}


@pytest.mark.parametrize(("content", "message"), NOT_OBEYED.values(), ids=NOT_OBEYED)
def test_a_hostile_stream_is_refused(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((pickle.UnpicklingError, ValueError), match=message):
        unpickle(content)
    assert not (tmp_path / "owned").exists()


def test_every_hostile_name_is_refused_by_the_reader_itself():
    """Should the look beforehand miss an instruction, nothing but the stand-ins can be named."""
    with pytest.raises(pickle.UnpicklingError, match="wants to run"):
        _pickles._Reader(io.BytesIO(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.")).load()


def test_lists_in_lists_a_million_deep_do_no_harm():
    deep = unpickle(b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b".")
    assert isinstance(deep, list)
