"""Rows of word ids brought to rest, and batches made of them: bags of words and sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from keras import ops

from dlrun.data._dataset import Arrays

Encoding = Literal["multi_hot", "count", "tf_idf", "one_hot", "sequence"]
BAGS = ("multi_hot", "count", "tf_idf")  # the order of the words is lost
Side = Literal["pre", "post"]
_BITS = (1 << np.arange(8)).astype("uint8")
_CHUNK = 2048  # rows unpacked at a time while packing bits


def id_type(num_words: int) -> str:
    """The smallest type that holds all ids below `num_words`."""
    return "uint16" if num_words <= 2**16 else "int32"


def packed(rows: np.ndarray, num_words: int) -> np.ndarray:
    """Which words are there, `(rows, ceil(num_words / 8))` uint8 bits, lowest first."""
    found = np.empty((len(rows), -(-num_words // 8)), "uint8")
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        bits = np.zeros((len(chunk), num_words), bool)
        bits[np.repeat(np.arange(len(chunk)), [len(row) for row in chunk]), np.concatenate(chunk)] = True
        found[start : start + len(chunk)] = np.packbits(bits, axis=1, bitorder="little")
    return found


def padded(
    rows: np.ndarray, num_words: int, maxlen: int, *, padding: Side, truncating: Side, reverse: bool
) -> np.ndarray:
    """Ids `(rows, maxlen)` as keras.utils.pad_sequences gives them; a row is reversed before it is cut (DLwP 6.3.8)."""
    ids = np.zeros((len(rows), maxlen), id_type(num_words))
    for place, row in enumerate(rows):
        row = row[::-1] if reverse else row
        row = row[-maxlen:] if truncating == "pre" else row[:maxlen]
        if len(row):
            ids[place, slice(-len(row), None) if padding == "pre" else slice(len(row))] = row
    return ids


def counted(rows: np.ndarray, num_words: int) -> Arrays:
    """`words`, the different ids of each row, and `counts`, how often each is there: `(rows, most of a row)`, filled up
    with zeros.
    """
    pairs = [np.unique(row, return_counts=True) for row in rows]
    width = max((len(ids) for ids, _ in pairs), default=0) or 1
    most = max((times.max(initial=0) for _, times in pairs), default=0)
    words = np.zeros((len(rows), width), id_type(num_words))
    counts = np.zeros((len(rows), width), "uint16" if most < 2**16 else "int32")
    for place, (ids, times) in enumerate(pairs):
        words[place, : len(ids)], counts[place, : len(ids)] = ids, times
    return {"words": words, "counts": counts}


def inverse_frequencies(rows: np.ndarray, num_words: int) -> np.ndarray:
    """`log(1 + n / (1 + texts with the word))` `(num_words,)` float32 over n texts, as keras' Tokenizer (tfidf)."""
    there = np.bincount(np.concatenate([np.zeros(0, "int64"), *map(np.unique, rows)]), minlength=num_words)
    return np.log(1 + len(rows) / (1 + there)).astype("float32")


def unpacked_batch(values: Any, num_words: int) -> Any:
    """Packed rows `(batch, ...)` as zeros and ones `(batch, num_words)`."""
    bits = ops.not_equal(ops.bitwise_and(values[:, :, None], _BITS), np.zeros((1,), "uint8"))
    return ops.reshape(ops.cast(bits, "float32"), (-1, 8 * values.shape[1]))[:, :num_words]


def one_hot_batch(ids: Any, num_words: int) -> Any:
    """Ids `(batch, maxlen)` int32 as `(batch, maxlen, num_words)`: a one for each word, nothing for padding."""
    return ops.one_hot(ops.where(ids == 0, -1, ids), num_words, dtype="float32")


def counted_batch(arrays: Mapping[str, Any], indices: Any, num_words: int, factors: np.ndarray | None) -> Any:
    """Rows of `counted` as counts `(batch, num_words)`; with `factors` `(num_words,)`: (1 + log(count)) * factor."""
    ids = ops.cast(ops.take(arrays["words"], indices, axis=0), "int32")
    values = ops.cast(ops.take(arrays["counts"], indices, axis=0), "float32")
    if factors is not None:
        weighed = (1 + ops.log(ops.maximum(values, 1.0))) * ops.take(ops.convert_to_tensor(factors), ids, axis=0)
        values = ops.where(values > 0, weighed, 0.0)
    size = ops.shape(ids)[0]
    rows = ops.broadcast_to(ops.arange(size)[:, None], ops.shape(ids))
    places = ops.stack([ops.reshape(rows, (-1,)), ops.reshape(ids, (-1,))], axis=1)
    return ops.scatter(places, ops.reshape(values, (-1,)), (size, num_words))
