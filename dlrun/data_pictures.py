"""Pictures of what a model sees: images, histograms, windows, series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dlrun.drawing import BLUE, GREY, ORANGE, plain_texts, shortened

MOST_PANELS = 12
_PARTS = {"training": GREY, "validation": BLUE, "test": ORANGE}
MOST_POINTS = 3000  # of a drawn series


@plain_texts
def draw_images(images: np.ndarray, titles: Sequence[str], path: Path, *, columns: int = 5) -> Path:
    """A grid of images `(n, height, width, 1 or 3)`; all share one scale, black the lowest value, white the highest."""
    low, high = float(images.min()), float(images.max())
    scale = (0.0, 1.0) if low >= 0 and 0.5 < high <= 1 else (0.0, 255.0) if low >= 0 and high > 50 else (low, high)
    shown = np.clip((images.astype("float32") - scale[0]) / ((scale[1] - scale[0]) or 1), 0, 1)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.7 * columns, 1.95 * rows), layout="constrained")
    for place, image in enumerate(shown):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.imshow(image[:, :, 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
        axes.set_title(shortened(titles[place], 20), fontsize=8)
        axes.axis("off")
    return _save(figure, path)


def as_images(values: np.ndarray, resting: np.ndarray | None) -> np.ndarray:
    """Flattened square images, known by bytes of the same shape at rest, as `(n, side, side, channels)`."""
    if values.ndim != 2 or resting is None or resting.dtype != np.uint8 or resting.shape[1:] != values.shape[1:]:
        return values
    for channels in (1, 3):
        side = math.isqrt(values.shape[1] // channels)
        if side >= 8 and side * side * channels == values.shape[1]:
            return values.reshape(len(values), side, side, channels)
    return values


@plain_texts
def draw_histograms(values: np.ndarray, name: str, path: Path) -> Path:
    """Histograms of the columns `(rows, columns)`; of all values together when there are too many columns."""
    count = values.shape[1]
    if count > 4 * MOST_PANELS:
        panels = {f"{name}: all {count:,} columns": values.reshape(-1)}
    else:
        panels = {f"{name} {place + 1} of {count}": values[:, place] for place in range(min(count, MOST_PANELS))}
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(max(4.8, 2.6 * columns), max(2.8, 2.1 * rows)), layout="constrained")
    for place, (title, column) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        axes.hist(column, bins=30, color=BLUE)
        axes.set_title(title, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    return _save(figure, path)


@plain_texts
def draw_windows(windows: np.ndarray, titles: Sequence[str], path: Path, names: Sequence[str] = ()) -> Path:
    """Windows `(n, steps, features)` below each other, the first features as lines, the target as title.

    `names` are those of the features, if known.
    """
    figure = Figure(figsize=(7.2, 1.9 * len(windows)), layout="constrained")
    for place, window in enumerate(windows):
        axes = figure.add_subplot(len(windows), 1, place + 1)
        lines = axes.plot(window[:, :6], linewidth=1)
        axes.set_title(f"target {shortened(titles[place], 40)}" if titles[place] else "", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    if len(names) == windows.shape[2]:
        figure.legend(lines, names[:6], loc="outside right upper", frameon=False, fontsize=8)
    axes.set_xlabel(f"step (the first {min(6, windows.shape[2])} of {windows.shape[2]} features)", fontsize=8)
    return _save(figure, path)


@plain_texts
def draw_series(
    series: np.ndarray, path: Path, names: Sequence[str] = (), spans: Mapping[str, tuple[int, int]] | None = None
) -> Path:
    """The first columns of a series `(steps, features)` at rest below each other, thinned when it is long.

    `names` are those of the columns, if known; `spans` tells where each part lies.
    """
    thin = max(1, len(series) // MOST_POINTS)
    count = min(6, series.shape[1])
    figure = Figure(figsize=(8, max(2.4, 1.4 * count)), layout="constrained")
    steps = np.arange(0, len(series), thin)
    for place in range(count):
        axes = figure.add_subplot(count, 1, place + 1)
        axes.plot(steps, series[::thin, place], color=BLUE, linewidth=0.8)
        for part, (first, last) in (spans or {}).items():
            axes.axvspan(first, last, color=_PARTS.get(part, GREY), alpha=0.12, linewidth=0, label=part)
        known = len(names) == series.shape[1]
        axes.set_ylabel(shortened(names[place], 18) if known else f"column {place + 1}", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    if spans:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    axes.set_xlabel("row of the series", fontsize=8)
    return _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=110)
    return path
