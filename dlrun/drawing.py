"""Figures from plain numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlrun.errors import visible

MOST_INCHES = 60  # of a side; a hundred classes have 47
# Labels are texts of the user, not formulas: one with two `$` would be taken for one, and might be no valid one.
plain_texts = matplotlib.rc_context({"text.parse_math": False})

BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#6b7280"


@plain_texts
def draw_curves(
    history: Sequence[dict[str, float]], folder: Path, *, best_epoch: int | None, baselines: dict[str, float]
) -> None:
    """One PNG per metric: training and validation by epoch, the best epoch and the baseline marked.

    `baselines` maps a metric's name, without `val_`, to its level.
    """
    folder.mkdir(exist_ok=True)
    names = [name for name in history[0] if not name.startswith("val_") and name != "learning_rate"]
    for name in names:
        figure = Figure(figsize=(6.4, 4), layout="constrained")
        axes = figure.add_subplot()
        epochs = range(1, len(history) + 1)
        axes.plot(epochs, [row.get(name, nan) for row in history], "o", color=GREY, markersize=4, label="training")
        if f"val_{name}" in history[0]:
            axes.plot(
                epochs, [row.get(f"val_{name}", nan) for row in history], color=BLUE, linewidth=2, label="validation"
            )
        if name in baselines:
            axes.axhline(baselines[name], color=ORANGE, linestyle="--", linewidth=1, label="baseline")
        if best_epoch is not None and f"val_{name}" in history[0]:
            axes.axvline(best_epoch, color=GREY, linestyle=":", linewidth=1, label=f"best epoch ({best_epoch})")
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        file_name = re.sub(r"[^\w.-]", "_", name)
        figure.savefig(folder / f"{file_name}.png", dpi=120)


@plain_texts
def draw_confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str], path: Path) -> None:
    """A confusion matrix as PNG: rows are true classes, columns predicted ones; colours by the share of each row."""
    path.parent.mkdir(exist_ok=True)
    size = min(MOST_INCHES, max(3.2, 0.45 * len(labels) + 1.5))
    labels = [shortened(label, 40) for label in labels]
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axes = figure.add_subplot()
    shares = [[value / (sum(row) or 1) for value in row] for row in matrix]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(labels) <= 20:
        for y, row in enumerate(matrix):
            for x, value in enumerate(row):
                axes.text(
                    x,
                    y,
                    str(value),
                    ha="center",
                    va="center",
                    color="white" if shares[y][x] > 0.5 else "black",
                    fontsize=8,
                )
    ticks = list(range(len(labels)))
    axes.set_xticks(ticks, labels, rotation=90 if max(map(len, labels)) > 3 else 0)
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="predicted", ylabel="true")
    figure.savefig(path, dpi=120)


def shortened(text: str, most: int) -> str:
    """The text, cut after `most` characters, its control characters written out: no font has them."""
    text = visible(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


@plain_texts
def draw_mean_curves(
    epochs: Sequence[int],
    means: Mapping[str, Sequence[float]],
    path: Path,
    *,
    each: Mapping[str, Sequence[Sequence[float]]] | None = None,
    marked: int | None = None,
    title: str = "",
) -> None:
    """Curves of several metrics below each other, all over the same epochs; `each` has thin lines beside a curve by its
    name, `marked` is an epoch that gets a line.
    """
    path.parent.mkdir(exist_ok=True)
    figure = Figure(figsize=(6.4, min(MOST_INCHES, 0.6 + 2.9 * len(means))), layout="constrained")
    for place, (name, values) in enumerate(means.items(), 1):
        axes = figure.add_subplot(len(means), 1, place)
        for number, line in enumerate((each or {}).get(name, [])):
            axes.plot(epochs, line, color=GREY, linewidth=0.6, alpha=0.5, label=None if number else "each fold")
        axes.plot(epochs, values, color=BLUE, linewidth=2, label="mean of the folds")
        if marked is not None:
            axes.axvline(marked, color=ORANGE, linestyle=":", linewidth=1.5, label=f"epoch {marked}")
        axes.set(xlabel="epoch" if place == len(means) else "", ylabel=name.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)
