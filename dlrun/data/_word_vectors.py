"""Files of pretrained word vectors: a word and its numbers on each line (GloVe, word2vec as text)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from dlrun.data._archives import check_plain
from dlrun.data._cache import Chunks, cached_if_worth
from dlrun.data._limits import read_limit, too_large
from dlrun.errors import DataError

MOST_BYTES = 8 * 10**9  # of a file, unpacked
_LINES = 20_000  # read at a time


def vectors_of(path: Path, ids: Mapping[str, int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The vectors by id `(count, dimensions)` float32, zeros where there is none, and which ids have one `(count,)`.

    Of two vectors of one word the first counts. Raises DataError naming the line.
    """
    entry = cached_if_worth("word_vectors", [path], [], lambda: _read(path))
    words = entry.arrays["words"].tobytes().decode("utf-8").split("\n")
    values = entry.arrays["values"]
    found = np.full(count, -1)
    for row in range(len(values) - 1, -1, -1):
        if words[row] in ids:
            found[ids[words[row]]] = row
    matrix = np.zeros((count, values.shape[1]), "float32")
    there = found >= 0
    matrix[there] = values[found[there]]
    return matrix, there


def _read(path: Path) -> Chunks:
    """`values` `(words, dimensions)` float32 and `words`, UTF-8 with a line feed between two."""
    words: list[bytes] = []
    dimensions = number = 0
    for lines in _blocks(path):
        if not dimensions:
            first = lines[0].split()
            if len(first) == 2 and all(part.isdigit() for part in first):  # word2vec: how many, how long
                lines, number = lines[1:], 1
            dimensions = len(lines[0].split()) - 1 if lines else 0
        rows = [line.rsplit(b" ", dimensions) for line in lines]
        yield "values", _numbers(path, rows, dimensions, number)
        words += [_word(path, row[0], number + place) for place, row in enumerate(rows, 1)]
        number += len(lines)
    if not words:
        raise DataError(f"{path}: the file holds no word vectors")
    yield "words", np.frombuffer(b"\n".join(words), "uint8")
    return {}


def _numbers(path: Path, rows: list[list[bytes]], dimensions: int, before: int) -> np.ndarray:
    """The numbers `(rows, dimensions)` float32 behind the words of some lines, `before` of which lie in front."""
    for place, row in enumerate(rows, 1):
        if len(row) != dimensions + 1 or not dimensions:
            raise DataError(
                f"{path}:{before + place}: this is no line of word vectors",
                received=f"{len(row) - 1} numbers",
                expected=f"a word and {dimensions} numbers, as on the first line" if dimensions else "a word, numbers",
            )
    try:
        values = np.array([number for row in rows for number in row[1:]], "S").astype("float32")
    except ValueError as error:
        raise DataError(f"{path}: in the lines from {before + 1:,} on there is no number: {error}") from error
    if not np.isfinite(values).all():
        line = before + int(np.argmin(np.isfinite(values))) // dimensions + 1
        raise DataError(f"{path}:{line}: a number is not finite")
    return values.reshape(len(rows), dimensions)


def _word(path: Path, word: bytes, line: int) -> bytes:
    try:
        word.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{line}: the word is not UTF-8") from error
    return word


def _blocks(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file, `.gz` or not, some at a time and without those that are empty at the end."""
    check_plain(path)
    limit, size = read_limit(MOST_BYTES), 0
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            while block := list(islice(file, _LINES)):
                if not size and block[0].startswith(b"PK"):
                    raise DataError(f"{path}: this is an archive", hint="unpack it, and name one of the files in it")
                size += sum(map(len, block))
                if size > limit:
                    raise too_large(path, limit)
                lines = [line.rstrip(b" \r\n") for line in block]
                if any(lines):
                    yield lines if all(lines) else [line for line in lines if line]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the compressed file is damaged or cut short: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from error
