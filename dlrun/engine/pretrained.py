"""Pretrained word vectors for a model: which of its words have one, told before training."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.config.schema import Component, Config
from dlrun.data._dataset import Prepared
from dlrun.data._word_vectors import vectors_of
from dlrun.data_places import data_context
from dlrun.errors import ConfigError
from dlrun.registry import MODELS


@dataclass(frozen=True)
class Coverage:
    """How many words of the vocabulary have a vector, and what share of the words in the training texts those are."""

    file: str
    words: int
    found: int
    share_of_texts: float | None

    def __str__(self) -> str:
        share = f" ({self.found / max(1, self.words):.1%})"
        texts = "" if self.share_of_texts is None else f", {self.share_of_texts:.1%} of the words in the training texts"
        return f"{self.file} has vectors for {self.found:,} of {self.words:,} words{share}{texts}; the others are zeros"

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def with_word_vectors(config: Config, data: Prepared) -> tuple[Component, list[Coverage]]:
    """The section `model` with arrays in place of the files of word vectors it names, and what these files cover.

    Raises DataError when a file is not there or damaged, ConfigError when the data gives no words.
    """
    assert config.model is not None, "checked before"
    known = MODELS.describe(config.model.name, config.plugins).signature.keyword_parameters()
    named = [name for name, p in known.items() if p.annotation and "WordVectors" in ast.unparse(p.annotation)]
    given = {name: path for name in named if (path := config.model.parameters.get(name))}
    arrays, found = {}, []
    for name, path in given.items():
        ids = data.encoder.word_ids()
        if not ids or data.spec.input.vocabulary_size is None:
            raise ConfigError(
                f"model.{name} needs data whose word ids and words are known",
                key=("model", name),
                received=f"{data.dataset} with inputs {', '.join(data.spec.inputs)}",
                hint="data.encoding: sequence; imdb and reuters need their word index file, too",
            )
        file = data_context(config).locate(path, key=("model", name))
        arrays[name], there = vectors_of(file, ids, data.spec.input.vocabulary_size)
        found.append(_coverage(file, ids, there, data))
    return config.model.model_copy(update=arrays), found


def _coverage(file: Path, ids: Mapping[str, int], there: np.ndarray, data: Prepared) -> Coverage:
    known = np.zeros(len(there), bool)
    known[list(ids.values())] = True
    (name,) = data.spec.inputs
    rows = data.arrays.get(name)
    share = None
    if rows is not None:
        words = rows[data.splits["training"]].astype("int64")
        words = words[known[words]]
        share = float(there[words].mean()) if len(words) else None
    return Coverage(file.name, len(ids), int(there.sum()), share)
