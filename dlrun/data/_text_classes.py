"""Texts in a folder per class, in parts or not: all that does not depend on what is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dlrun.data._cache import Chunks, cached_if_worth
from dlrun.data._dataset import Arrays
from dlrun.data._text_trees import PARTS, Names, read_tree
from dlrun.data._tokens import Splitting, indexed, word_chunks, words_of
from dlrun.errors import DataError, did_you_mean, listing

UNLABELLED = "unsup"  # the folder of aclImdb with reviews that have no label


@dataclass(frozen=True)
class TextClasses:
    """Raw arrays as those of `indexed`, class codes `(rows,)`, labels in their order, the rows of each part, notes."""

    raw: Arrays
    codes: np.ndarray
    labels: list[str]
    parts: dict[str, np.ndarray]
    notes: list[str]


def read_classes(place: Path, classes: list[str], splitting: Splitting, file_encoding: str) -> TextClasses:
    """The texts of a folder or archive, from the cache if it is large. `classes`: the folders to use; empty: all.

    Raises DataError.
    """
    key = [classes, asdict(splitting), file_encoding]
    entry = cached_if_worth("text_folder", [place], key, lambda: _read(place, classes, splitting, file_encoding))
    parts = {part: np.arange(*span) for part, span in entry.facts["parts"].items()}
    return TextClasses(words_of(entry), entry.arrays["codes"], entry.facts["labels"], parts, list(entry.facts["notes"]))


Found = dict[str, dict[str, list[str]]]


def _read(place: Path, classes: list[str], splitting: Splitting, file_encoding: str) -> Chunks:
    """Words, class codes, labels, parts and notes: all that does not depend on what is learned."""
    found, loose = _by_part(place, read_tree(place, file_encoding))
    labels, notes = _labels(place, found, classes)
    notes += [f"files in no folder of a class are left out: {listing(loose, 4)}"] if loose else []
    texts, codes, parts = _rows(found, labels)
    raw = indexed(texts, splitting)
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
