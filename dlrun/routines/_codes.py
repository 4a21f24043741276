"""What the codes of an autoencoder are worth: codes and pictures of rows, and how they are measured."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from dlrun.data._dataset import Prepared
from dlrun.engine.feeding import Feeder
from dlrun.engine.pipelines import batches_in_order
from dlrun.engine.scoring import true_labels

BATCH_SIZE = 256
MOST_ROWS = 10_000  # of a part that are measured
ACTIVE = 0.01  # variance of an axis that carries something; Burda et al., Importance Weighted Autoencoders, 2016


def some_of(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly spaced, so that a part sorted by class keeps all classes."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def pictures_of(data: Prepared, rows: np.ndarray) -> np.ndarray:
    """What the encoder gets for these rows, `(rows, height, width, channels)`."""
    feeder = Feeder.of(data.without_targets())
    parts = [rows[at : at + BATCH_SIZE] for at in range(0, len(rows), BATCH_SIZE)]
    return np.concatenate([keras.ops.convert_to_numpy(feeder.inputs(part.astype("int32"))) for part in parts])


def codes_of(encoder: keras.Model, data: Prepared, rows: np.ndarray) -> np.ndarray:
    """The codes of rows without noise, `(rows, latent_dim)`."""
    found = encoder.predict(batches_in_order(Feeder.of(data.without_targets()), rows, BATCH_SIZE, "inputs"), verbose=0)
    return np.asarray(found[0] if isinstance(found, list) else found)


def decoded(decoder: keras.Model, codes: np.ndarray) -> np.ndarray:
    """Pictures `(n, height, width, channels)` of codes `(n, latent_dim)`."""
    return np.asarray(decoder.predict(codes.astype("float32"), batch_size=BATCH_SIZE, verbose=0))


def labels_of(data: Prepared) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The class of every row `(rows,)` and the names of the classes; None for data without one task of classes."""
    tasks = [(name, task) for name, task in data.spec.tasks.items() if task.kind in ("binary", "multiclass")]
    if len(tasks) != 1:
        return None, ()
    ((name, task),) = tasks
    return true_labels(data.original_targets[name], task), task.labels


def measure_codes(
    encoder: keras.Model, decoder: keras.Model, data: Prepared, split: str, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of a part that is not training, and what stands beside some of them as a baseline.

    `active_axes` counts the axes of the code that vary from row to row. `reconstruction_mse` is beside that of a PCA
    with as many components, `probe_accuracy`, of a logistic regression that tells classes from codes, beside the share
    of the commonest class. PCA and regression learn from training rows.
    """
    training, other = (some_of(data.splits[part], MOST_ROWS) for part in ("training", split))
    known, codes = codes_of(encoder, data, training), codes_of(encoder, data, other)
    pictures = pictures_of(data, other)
    wrong = float(np.mean(np.square(decoded(decoder, codes) - pictures), dtype="float64"))
    figures: dict[str, float] = {"active_axes": int((codes.var(axis=0) > ACTIVE).sum()), "reconstruction_mse": wrong}
    levels = {"reconstruction_mse": _pca_error(pictures_of(data, training), pictures, codes.shape[1], seed)}
    labels, _ = labels_of(data)
    if labels is not None and len(np.unique(labels[training])) > 1:
        figures["probe_accuracy"] = probe(known, labels[training]).score(codes, labels[other])
        commonest = np.bincount(labels[training]).argmax()
        levels["probe_accuracy"] = float((labels[other] == commonest).mean())
    return figures, levels


def probe(codes: np.ndarray, labels: np.ndarray) -> Any:
    """A logistic regression that tells classes from standardised codes."""
    from sklearn.linear_model import LogisticRegression  # here: scikit-learn takes a second to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(codes, labels)


def _pca_error(training: np.ndarray, other: np.ndarray, components: int, seed: int) -> float:
    """Mean squared error of a PCA on pictures, flattened."""
    from sklearn.decomposition import PCA

    flat, wanted = training.reshape(len(training), -1), other.reshape(len(other), -1)
    pca = PCA(min(components, *flat.shape), random_state=seed).fit(flat)
    return float(np.mean(np.square(pca.inverse_transform(pca.transform(wanted)) - wanted), dtype="float64"))
