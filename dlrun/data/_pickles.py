"""Pickles of lists, dicts, whole numbers and arrays, read without trusting anything in them.

A pickle is a small program. Three things keep it harmless: its instructions are looked through before any is obeyed;
the names it may use are stand-ins that make records of ours, never objects of NumPy, whose own `__setstate__` takes
addresses of memory from the stream; and what is used over and over is counted, not unfolded.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

MOST_REUSED = 32  # look-ups in a stream with dicts, whose keys could hold each other: hashing those takes for ever
_NUMBERS = ("i8", "i4", "i2", "u8", "u4", "u2", "u1", "i1")
_OBJECTS = ("O8", "O4")

# Instructions of a known size, as many as follow each other (Lib/pickletools.py lists them all): numbers, marks,
# lists and tuples, None and truth values, short memo entries, calls of the stand-ins, frames.
_PLAIN = re.compile(rb"(?:K.|M..|[\x94()\]eaust\x85-\x87NRb\x93\x88\x89]|J.{4}|q.|\x80.|\x95.{8})*+", re.DOTALL)
_NAME = re.compile(rb"c[\w.]{1,60}\n\w{1,60}\n")
_LENGTHS = {b"U": 1, b"\x8c": 1, b"C": 1, b"\x8a": 1, b"X": 4, b"T": 4, b"B": 4}  # bytes of it, before the content
_GETS = {b"h": 1, b"j": 4}
_PUT, _STOP, _NEW_DICT = b"r", b".", b"}"


class _Name:
    """What a name in the stream stands for. It can be called, and nothing else be done to it."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make

    def __call__(self, *arguments: Any) -> Any:
        return self.make(*arguments)

    def __setstate__(self, _state: Any) -> None:
        raise pickle.UnpicklingError("the file wants to change what reads it")


class _Kind:
    """A dtype of the stream: its code, and the order of its bytes."""

    __slots__ = ("code", "order")

    def __init__(self, name: Any, *_flags: Any) -> None:
        self.code = name.decode("ascii") if type(name) is bytes else name  # streams that Python 2 wrote
        self.order = "|"
        if type(self.code) is not str or self.code not in _NUMBERS + _OBJECTS:
            raise pickle.UnpicklingError("an array of another type than whole numbers or lists")

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if type(state[1]) is bytes else state[1]
        if type(order) is not str or order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("a type of numbers with an unknown order of bytes")
        self.order = order


class _Array:
    """An array of the stream; `values` is an array of numbers, or the list of what an array of objects holds."""

    __slots__ = ("values",)

    def __init__(self, maker: Any, *_arguments: Any) -> None:
        if maker is not _ARRAY:
            raise pickle.UnpicklingError("an array is made in an unknown way")
        self.values: Any = []

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, content = state
        if type(shape) is not tuple or type(kind) is not _Kind or not all(type(n) is int and n >= 0 for n in shape):
            raise pickle.UnpicklingError("an array of unknown shape")
        if kind.code in _OBJECTS:
            if type(content) is not list or shape != (len(content),):
                raise pickle.UnpicklingError("an array of objects without a list of them")
            self.values = content
        elif type(content) is not bytes or len(shape) > 8:
            raise pickle.UnpicklingError("an array without its numbers")
        else:
            flat = np.frombuffer(content, np.dtype(kind.code).newbyteorder(kind.order))  # type: ignore[arg-type]
            self.values = flat.reshape(shape, order="F" if by_columns else "C")

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)


def _uncalled(*_arguments: Any) -> Any:
    raise pickle.UnpicklingError("an array is made in an unknown way")


_ARRAY = _Name(_uncalled)
_KNOWN = {
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _Name(_Kind),
    ("numpy.core.multiarray", "_reconstruct"): _Name(_Array),
    ("numpy._core.multiarray", "_reconstruct"): _Name(_Array),
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The stand-in behind a name in the stream. Raises UnpicklingError for names that data does not need."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"the file wants to run {module[:60]}.{name[:60]}, which no data needs")
        return _KNOWN[module, name]


def unpickle(content: bytes) -> Any:
    """What a pickle holds: lists, dicts, whole numbers, texts; arrays at the top, or as a value of a dict there.

    Texts that Python 2 wrote come as bytes, arrays of objects as lists. Raises UnpicklingError, ValueError, TypeError
    and others that `pickle.Unpickler` raises for what is damaged.
    """
    _look_through(content)
    found = _Reader(io.BytesIO(content), encoding="bytes").load()
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    return _plain(found)


def _plain(value: Any) -> Any:
    return value.values if isinstance(value, _Array) else value


def _look_through(content: bytes) -> None:
    """Raises UnpicklingError for instructions that data does not need, and for those that take memory or time."""
    place, reused, dicts = 0, 0, 0
    while True:
        match = _PLAIN.match(content, place)
        end = match.end() if match else place
        code, place = content[end : end + 1], end + 1
        if code == _STOP:
            break
        if code == _NEW_DICT:
            dicts += 1
        elif code in _GETS:
            reused, place = reused + 1, place + _GETS[code]
        elif code == _PUT:
            # The memo is as long as its largest index, so a few bytes could ask for gigabytes.
            if int.from_bytes(content[place : place + 4], "little") > place:
                raise pickle.UnpicklingError("a memo that is longer than the file")
            place += 4
        elif code in _LENGTHS:
            size = _LENGTHS[code]
            place += size + int.from_bytes(content[place : place + size], "little")
        elif name := _NAME.match(content, end):
            place = name.end()
        else:
            raise pickle.UnpicklingError(f"an instruction that no data needs: 0x{code.hex()}" if code else "it is cut")
    if dicts and reused > MOST_REUSED:
        raise pickle.UnpicklingError("a dict whose parts are used over and over")
