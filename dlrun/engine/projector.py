"""Word vectors for TensorBoard's projector, which cannot read what Keras 3 saves for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun.files import write_text

MOST_ROWS = 10_000  # of a layer: the commonest words, for ids go by frequency; the projector itself reads no more


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras' callback, with vectors of Embedding layers that the projector shows.

    Keras 3 saves them in `.weights.h5` files, of which the projector knows nothing. Here `train/` of the log folder
    gets `projector_config.pbtxt` and, for each Embedding, `NAME.tsv` and `NAME-words.tsv`, written anew every
    `embeddings_freq` epochs and when training ends. `words` has the id of each word.
    """

    def __init__(self, *, words: Mapping[str, int], embeddings_freq: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self._names = {place: word for word, place in words.items()}
        self._every = embeddings_freq

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self._every and epoch % self._every == 0:
            write_embeddings(Path(self.log_dir) / "train", self.model, self._names)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._every:
            write_embeddings(Path(self.log_dir) / "train", self.model, self._names)
        super().on_train_end(logs)


def write_embeddings(folder: Path, model: keras.Model, names: Mapping[int, str]) -> None:
    """Vectors, their words where `names` has some by id, and the projector's config, for all Embedding layers."""
    entries = []
    for layer in model._flatten_layers():
        if not isinstance(layer, keras.layers.Embedding):
            continue
        vectors = keras.ops.convert_to_numpy(layer.embeddings)[:MOST_ROWS]
        file = re.sub(r"[^\w.-]", "_", layer.name)
        write_text(folder / f"{file}.tsv", _table(vectors))
        lines = [f'tensor_name: "{file}"', f'tensor_path: "{file}.tsv"']
        if names and max(names) < layer.input_dim:
            write_text(folder / f"{file}-words.tsv", _column(names, len(vectors)))
            lines.append(f'metadata_path: "{file}-words.tsv"')
        entries.append("embeddings {\n  " + "\n  ".join(lines) + "\n}\n")
    write_text(folder / "projector_config.pbtxt", "".join(entries))


def _table(vectors: np.ndarray) -> str:
    """Numbers `(rows, dimensions)`, a row in a line."""
    return "".join("\t".join(f"{value:.6g}" for value in row) + "\n" for row in vectors.tolist())


def _column(names: Mapping[int, str], rows: int) -> str:
    """A word in each line, without a header, which the projector wants for several columns only; `[2]` for an id
    without a word.
    """
    words = (re.sub(r"\s+", " ", names.get(row, "")).strip() or f"[{row}]" for row in range(rows))
    return "".join(f"{word}\n" for word in words)
