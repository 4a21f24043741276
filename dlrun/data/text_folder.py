"""The user's own texts: a folder of .txt files for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

import dlrun
from dlrun.data._cache import Chunks, cached_if_worth
from dlrun.data._csv_files import Form
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.data._text_trees import PARTS, Names, read_tree
from dlrun.data._texts import TextsEncoder, check_vocabulary_rows, indexed, word_chunks, words_of
from dlrun.data._words import check_options
from dlrun.errors import DataError, did_you_mean, listing
from dlrun.spec import DataPath, Task

UNLABELLED = "unsup"  # the folder of aclImdb with reviews that have no label


@dlrun.dataset("text_folder")
def text_folder(
    context: DataContext,
    *,
    path: DataPath,
    classes: list[str] = [],  # noqa: B006  read as a literal, not changed
    num_words: int = 10000,
    encoding: Literal["multi_hot", "sequence"] = "multi_hot",
    maxlen: int = 500,
    padding: Literal["pre", "post"] = "pre",
    truncating: Literal["pre", "post"] = "pre",
    reverse: bool = False,
    unknown: Literal["drop", "mark"] = "drop",
    lower: bool = True,
    vocabulary_rows: int | None = None,
    file_encoding: str = "utf-8",
) -> Dataset:
    """Texts in a folder per class, or in such folders below train, validation and test (aclImdb). Reads .txt files.

    `path`: the folder, or a .zip, .tar.gz, .tar.xz of it, which is read in place.
    `classes`: the folders to use, in the order of their labels; empty: all, sorted; of two the second is positive.
    `num_words`: the vocabulary, with the id 0 of padding: the most frequent words of the training rows. `lower` makes
    texts lower case first; punctuation divides words as white space does (DLwP 6.1). `unknown`: other words are
    dropped, as in the book, or marked with id 1. `vocabulary_rows`: learn the words from that many first rows instead.
    `encoding`: `multi_hot` rows `(num_words,)` of zeros and ones, or `sequence` rows of `maxlen` ids, with
    `padding` and `truncating` at the start (`pre`) or the end (`post`); `reverse` turns each text round before that.
    `file_encoding`: as Python names it. `predict` takes a text per file, or per line from standard input.
    """
    if context.sample:
        raise DataError("there is no generated stand-in for your own texts", hint="run it without --sample")
    check_options(num_words, maxlen)
    place = context.locate(path)
    key = [classes, lower, file_encoding]
    entry = cached_if_worth("text_folder", [place], key, lambda: _read(place, classes, lower, file_encoding))
    raw, codes, labels, notes = words_of(entry), entry.arrays["codes"], entry.facts["labels"], entry.facts["notes"]
    parts = {part: np.arange(*span) for part, span in entry.facts["parts"].items()}
    kind: Literal["binary", "multiclass"] = "binary" if len(labels) == 2 else "multiclass"
    notes += check_vocabulary_rows(vocabulary_rows, len(codes) - len(parts.get("test", ())))
    return Dataset(
        name="text_folder",
        raw={"words": raw["words"]},
        shared={"vocabulary": raw["vocabulary"]},
        targets={"label": codes.astype("float32" if kind == "binary" else "int32")},
        encoder=TextsEncoder(
            num_words=num_words,
            encoding=encoding,
            maxlen=maxlen,
            padding=padding,
            truncating=truncating,
            reverse=reverse,
            lower=lower,
            unknown=unknown,
            vocabulary_rows=vocabulary_rows,
            whole_files=True,
            form=Form(encoding=file_encoding),
        ),
        tasks={"label": Task(kind, labels=tuple(labels))},
        parts=parts,
        files=[place],
        notes=notes,
    )


Found = dict[str, dict[str, list[str]]]


def _read(place: Path, classes: list[str], lower: bool, file_encoding: str) -> Chunks:
    """Words, class codes, labels, parts and notes: all that does not depend on what is learned."""
    found, loose = _by_part(place, read_tree(place, file_encoding))
    labels, notes = _labels(place, found, classes)
    notes += [f"files in no folder of a class are left out: {listing(loose, 4)}"] if loose else []
    texts, codes, parts = _rows(found, labels)
    raw = indexed(texts, lower)
    empty = sum(not len(row) for row in raw["words"])
    notes += [f"{empty:,} of {len(texts):,} texts hold no word"] if empty else []
    yield from word_chunks(raw)
    yield "codes", codes
    return {"labels": labels, "notes": notes, "parts": parts}


def _by_part(place: Path, texts: Mapping[Names, str]) -> tuple[Found, list[str]]:
    """Texts by part ("" when there are none) and class, and the files above the folders of classes, such as aclImdb's
    lists of addresses. Raises DataError for files below those folders.
    """
    tops = {names[0] for names in texts if len(names) > 1}
    divided = all(top.lower() in PARTS for top in tops) and len(tops) > 1
    found: Found = {}
    loose = []
    for names, text in texts.items():
        part, rest = (PARTS[names[0].lower()], names[1:]) if divided and len(names) > 1 else ("", names)
        if len(rest) > 2:
            raise DataError(
                f"{place}: {'/'.join(names)} lies too deep",
                expected="class/text.txt, or train/class/text.txt and test/class/text.txt",
            )
        if len(rest) == 2:
            found.setdefault(part, {}).setdefault(rest[0], []).append(text)
        else:
            loose.append("/".join(names))
    if divided and "training" not in found:
        raise DataError(f"{place}: there is no training part", received=listing(sorted(tops)), expected="train, test")
    if not found:
        raise DataError(
            f"{place}: no text lies in a folder of a class", received=listing(loose, 4), expected="class/text.txt"
        )
    return found, loose


def _labels(place: Path, found: Found, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """The classes in order, and notes."""
    first = found.get("training", found.get("", {}))
    unused = [UNLABELLED] if UNLABELLED in first and not wanted else []
    labels = list(wanted) or [name for name in sorted(first) if name not in unused]
    for name in labels:
        if name not in first:
            raise DataError(
                f"{place}: there is no class {name!r}",
                key=("data", "classes"),
                expected=listing(sorted(first)),
                hint=did_you_mean(name, first),
            )
    if len(labels) < 2:
        raise DataError(
            f"{place}: there is one class only: {labels[0]!r}" if labels else f"{place}: there is no class",
            expected="a folder per class, at least two",
        )
    for part, groups in found.items():
        further = sorted(set(groups) - set(labels)) if part and not wanted else []
        if further and further != unused:
            raise DataError(
                f"{place}: the {part} part has the class {further[0]!r}, which the training part has not",
                expected=listing(labels),
            )
    return labels, [f"the folder {name} is left out: it holds texts without label" for name in unused]


def _rows(found: Found, labels: Sequence[str]) -> tuple[list[str], np.ndarray, dict[str, list[int]]]:
    """Texts, class codes, and the first row and that behind the last of each part that the folders give."""
    texts: list[str] = []
    codes: list[int] = []
    parts = {}
    for part in ("", "training", "validation", "test"):
        start = len(texts)
        for code, label in enumerate(labels):
            group = found.get(part, {}).get(label, [])
            texts += group
            codes += [code] * len(group)
        if part and len(texts) > start:
            parts[part] = [start, len(texts)]
    return texts, np.array(codes), parts
