"""Running text, for language models: a file, or a folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._corpus import CorpusEncoder, Level, label_of_token, split, vocabulary_of
from dlrun.data._dataset import Dataset
from dlrun.data._folders import files_below
from dlrun.data._sources import DataContext
from dlrun.data._text_files import read_text
from dlrun.errors import DataError
from dlrun.spec import Count, DataPath, Task

_SUFFIXES = (".txt", ".txt.gz")


@dlrun.dataset("text_corpus")
def text_corpus(
    context: DataContext,
    *,
    path: DataPath,
    level: Literal["character", "word"] = "character",
    lower: bool = True,
    maxlen: Count = 60,
    step: Count = 3,
    encoding: Literal["one_hot", "sequence"] = "one_hot",
    num_words: Count = 10000,
    max_tokens: int | None = None,
    validation: float = 0.1,
    test: float = 0.0,
    file_encoding: str = "utf-8",
) -> Dataset:
    """Running text (DLwP 8.1): windows of so many characters or words in, the next one out. Reads .txt files.

    `path`: a file (.gz too), or a folder whose .txt files follow each other by their names. `lower`: in lower case.
    `level`: characters, all there are; or words and marks of punctuation, the `num_words` most frequent ones of the
    training part, of which the first stands for all others.
    `maxlen`: tokens in a window; a window begins at each `step`-th token. `max_tokens`: read only so many.
    `encoding`: `one_hot` `(maxlen, tokens)`, made in the graph, or `sequence`, codes for an Embedding.
    `validation`, `test`: shares of the text, at its end; no window reaches over their border. With both at 0 all
    windows of the book train.
    `file_encoding`: as Python names it. `predict` takes texts of `maxlen` tokens or more, and tells the next one.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own text", hint="run it without --sample")
    files = _files(context.locate(path))
    text = "\n".join(read_text(file, file_encoding) for file in files)
    tokens = split(text, level, lower=lower)[:max_tokens]
    bounds = _bounds(len(tokens), validation, test)
    starts, parts = _windows(bounds, maxlen, step, level)
    known = vocabulary_of(tokens if level == "character" else tokens[: bounds[1]], level, num_words)
    places = {token: code for code, token in enumerate(known)}
    small = "uint8" if len(known) <= 2**8 else "uint16" if len(known) <= 2**16 else "int32"
    codes = np.fromiter((places.get(token, 0) for token in tokens), small, len(tokens))
    return Dataset(
        name="text_corpus",
        raw={"starts": starts},
        shared={"codes": codes},
        targets={"next": codes[starts + maxlen].astype("int32")},
        encoder=CorpusEncoder(
            tokens=known,
            level=level,
            lower=lower,
            maxlen=maxlen,
            one_hot=encoding == "one_hot",
            lead=_lead(codes[: bounds[1]], tokens, maxlen).tolist(),
            file_encoding=file_encoding,
        ),
        tasks={"next": Task("multiclass", labels=tuple(map(label_of_token, known)))},
        parts=parts,
        files=files,
        notes=_notes(codes, known, level),
        in_sequence=True,
    )


def _files(place: Path) -> list[Path]:
    """The file, or the text files of a folder by their names. Raises DataError when there is none."""
    if not place.is_dir():
        return [place]
    try:
        found = sorted(file for file in files_below(place) if file.name.lower().endswith(_SUFFIXES))
    except OSError as error:
        raise DataError(f"{place}: the folder cannot be read: {error.strerror}") from error
    if not found:
        raise DataError(f"{place}: there is no .txt file in it", key=("data", "path"))
    return found


def _bounds(count: int, validation: float, test: float) -> list[int]:
    """Where the parts of `count` tokens begin and end: training from the first to the second, and so on."""
    for name, share in (("validation", validation), ("test", test)):
        if not 0 <= share < 1:
            raise DataError(
                f"data.{name} is no share of the text", key=("data", name), received=f"{share:g}", expected="0 to 1"
            )
    if validation + test >= 1:
        raise DataError(
            "data.validation and data.test leave no text to train on",
            key=("data", "validation"),
            received=f"{validation:g} and {test:g}",
        )
    behind = count - round(count * test)
    return [0, behind - round(count * validation), behind, count]


def _windows(bounds: list[int], maxlen: int, step: int, level: Level) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Where windows start `(rows,)` int32, and the rows of each part. Raises DataError when a part has no window."""
    starts, parts, first = [], {}, 0
    for name, begin, end in zip(("training", "validation", "test"), bounds, bounds[1:], strict=False):
        found = np.arange(begin, max(begin, end - maxlen), step)
        if not len(found) and (end > begin or name == "training"):
            raise DataError(
                f"the {name} part of the text is shorter than a window and what follows it",
                key=("data", "maxlen"),
                received=f"{end - begin:,} {level}s",
                expected=f"at least {maxlen + 1:,}, for data.maxlen {maxlen:,}",
            )
        starts.append(found)
        parts[name] = np.arange(first, first + len(found))
        first += len(found)
    return np.concatenate(starts).astype("int32"), parts


def _lead(codes: np.ndarray, tokens: list[str], maxlen: int) -> np.ndarray:
    """The `maxlen` tokens up to the end of a sentence, with the white space behind it, or the first ones if there is no
    such end.
    """
    blank = (" ", "\n")
    for place in range(max(2, maxlen), len(codes)):
        before, last, following = tokens[place - 2 : place + 1]
        if (last in blank and before == ".") or (last == "." and following not in blank):
            return codes[place - maxlen : place]
    return codes[:maxlen]


def _notes(codes: np.ndarray, known: list[str], level: Level) -> list[str]:
    notes = [f"{len(codes):,} {level}s, {len(known):,} different ones"]
    if level == "word":
        notes[0] += f"; {np.mean(codes == 0):.1%} of the words are too rare for a code of their own"
    return notes
