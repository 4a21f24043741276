"""Ways through the space of codes: from one class to another, and along what tells two classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from dlrun.data._dataset import Prepared
from dlrun.errors import ConfigError, UnknownNameError, did_you_mean, listing
from dlrun.routines._codes import MOST_ROWS, codes_of, decoded, labels_of, pictures_of, probe, some_of
from dlrun.seeds import child_seed

STEPS = 10  # of a way, its ends among them
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)  # of a concept's direction that are added


@dataclass
class Walk:
    """Two nets, the data they learned from, two of its labels, and a seed that chooses rows of validation."""

    encoder: keras.Model
    decoder: keras.Model
    data: Prepared
    labels: tuple[int, int]
    seed: int

    @cached_property
    def _training(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of training rows, and their labels."""
        rows = some_of(self.data.splits["training"], MOST_ROWS)
        return codes_of(self.encoder, self.data, rows), self._labels[rows]

    @property
    def _labels(self) -> np.ndarray:
        labels, _ = labels_of(self.data)
        assert labels is not None, "two of them were found"
        return labels

    def _rows(self, label: int) -> np.ndarray:
        """The rows of validation with a label. Raises ConfigError when there is none."""
        rows = self.data.splits.get("validation", self.data.splits["training"])
        found = rows[self._labels[rows] == label]
        if not len(found):
            raise ConfigError(f"no row of validation is of the class {labels_of(self.data)[1][label]!r}")
        return found

    def _chosen(self, label: int, count: int, name: str) -> np.ndarray:
        """So many of these rows, drawn; fewer when there are fewer."""
        rows = self._rows(label)
        random = np.random.default_rng(child_seed(self.seed, name))
        return random.permutation(rows)[:count]

    def between(self, count: int) -> np.ndarray:
        """Decoded codes on straight ways from pictures of the first class to such of the second,
        `(ways * STEPS, height, width, channels)`.
        """
        ends = [self._chosen(label, count, name) for label, name in zip(self.labels, ("from", "to"), strict=True)]
        first, last = (codes_of(self.encoder, self.data, rows[: min(map(len, ends))]) for rows in ends)
        ways = [np.linspace(*pair, STEPS) for pair in zip(first, last, strict=True)]
        return decoded(self.decoder, np.concatenate(ways))

    @cached_property
    def direction(self) -> np.ndarray:
        """The mean code of the second class less that of the first, `(latent_dim,)` (DLwP 8.4.2). Raises ConfigError
        when one has no rows.
        """
        codes, labels = self._training
        for label in self.labels:
            if label not in labels:
                raise ConfigError(f"no training row is of the class {labels_of(self.data)[1][label]!r}")
        first, second = (codes[labels == label].mean(axis=0) for label in self.labels)
        return np.asarray(second - first)

    def along(self, count: int) -> np.ndarray:
        """Pictures of the first class, each followed by what comes back with SHARES of the direction added,
        `(pictures * (1 + len(SHARES)), height, width, channels)`.
        """
        rows = self._chosen(self.labels[0], count, "from")
        pictures, codes = pictures_of(self.data, rows), codes_of(self.encoder, self.data, rows)
        moved = np.concatenate([code + np.outer(SHARES, self.direction) for code in codes])
        shown = decoded(self.decoder, moved).reshape(len(rows), len(SHARES), *pictures.shape[1:])
        return np.concatenate([pictures[:, None], shown], axis=1).reshape(-1, *pictures.shape[1:])

    def arrivals(self) -> dict[str, float]:
        """The share of validation rows of the first class whose moved codes a linear probe takes for the second, by
        the share of the direction that was added.
        """
        telling = probe(*self._training)
        codes = codes_of(self.encoder, self.data, self._rows(self.labels[0]))
        arrived = {share: telling.predict(codes + share * self.direction) == self.labels[1] for share in SHARES}
        return {str(share): float(found.mean()) for share, found in arrived.items()}


def two_labels(data: Prepared, option: str, text: str) -> tuple[int, int]:
    """The classes that an option names as `A,B`. Raises ConfigError, UnknownNameError."""
    labels, names = labels_of(data)
    if labels is None:
        raise ConfigError(f"{option} goes from one class to another, and the data has no classes", received=text)
    found = [part.strip() for part in text.split(",")]
    if len(found) != 2 or found[0] == found[1]:
        raise ConfigError(
            f"{option} takes two classes with a comma between them", received=text, expected=",".join(names[:2])
        )
    for name in found:
        if name not in names:
            raise UnknownNameError(
                f"the data has no class {name!r}", expected=listing(names), hint=did_you_mean(name, names)
            )
    return names.index(found[0]), names.index(found[1])


def normal_codes(count: int, seed: int, spread: dict[str, Any] | None, size: int) -> np.ndarray:
    """Random codes `(count, size)` from the normal distribution; with the mean and standard deviation of `spread`."""
    codes = np.random.default_rng(child_seed(seed, "codes")).standard_normal((count, size))
    if spread:
        codes = np.array(spread["mean"]) + codes * np.array(spread["std"])
    return codes.astype("float32")
