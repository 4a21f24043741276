"""One distribution at several temperatures (DLwP 8.1.3, listing 8-1, figure 8-2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dlrun.drawing import BLUE, plain_texts

TEMPERATURES = (0.01, 0.2, 0.4, 0.6, 0.8, 1.0)  # of figure 8-2
_MOST = 20  # tokens that are shown


def reweighted(chances: np.ndarray, temperature: float) -> np.ndarray:
    """A distribution `(tokens,)` at a temperature: `p ** (1 / temperature)`, normalised (DLwP listing 8-1)."""
    with np.errstate(divide="ignore"):
        logarithms = np.log(chances.astype("float64")) / temperature
    weights = np.exp(logarithms - logarithms.max())
    return np.asarray(weights / weights.sum())


@plain_texts
def draw_temperatures(chances: np.ndarray, labels: Sequence[str], context: str, file: Path) -> None:
    """The likeliest tokens of a distribution `(tokens,)`, in one order, at the temperatures of the book, as PNG."""
    order = np.argsort(-chances, kind="stable")[:_MOST]
    figure = Figure(figsize=(9, 5), layout="constrained")
    all_axes = figure.subplots(2, 3, sharey=True)
    for axes, temperature in zip(all_axes.flat, TEMPERATURES, strict=True):
        axes.bar(range(len(order)), reweighted(chances, temperature)[order], color=BLUE)
        axes.set_title(f"temperature {temperature:g}", fontsize=10)
        axes.set_xticks(range(len(order)), [labels[code] for code in order], rotation=90, fontsize=7)
        axes.set_ylim(0, 1)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"what follows on {context!r}", fontsize=10)
    figure.savefig(file, dpi=80)
