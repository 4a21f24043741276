"""Figures from plain numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log10, nan
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlrun.errors import visible

MOST_INCHES = 60  # of a side; a hundred classes have 47
# Labels are texts of the user, not formulas: one with two `$` would be taken for one, and might be no valid one.
plain_texts = matplotlib.rc_context({"text.parse_math": False})

BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#6b7280"
# Told apart also by readers who see fewer colours, after Okabe and Ito (2008), darker for thin lines.
OVERLAID = ("#0063b1", "#c2500a", "#00795a", "#a83279", "#5b4db5", "#8a6d00", "#007b94", "#4d5663")
MOST_COLOURS = 20  # of labels that can be told apart
LINES, MARKS = ("-", "--", ":"), ("o", "+", "s", "x", "^", "d", "v", "*")


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


@plain_texts
def draw_overlaid(
    curves: Mapping[str, Mapping[str, Sequence[float | None]]], path: Path, *, groups: Mapping[str, int]
) -> None:
    """Curves of several runs over each other, by metric and then by the run's label; a picture below the other for
    each metric. Labels of one of the `groups` have one colour. Up to 40 epochs have marks, as in the book (DLwP figures
    4-4 to 4-9).
    """
    figure = Figure(figsize=(7.2, min(MOST_INCHES, 0.6 + 3.6 * len(curves))), layout="constrained")
    for place, (name, lines) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(len(curves), 1, place)
        for number, (label, values) in enumerate(lines.items()):
            turn, colour = divmod(groups[label], len(OVERLAID))
            mark = MARKS[number % len(MARKS)] if len(values) <= 40 else ""
            points = [nan if value is None else value for value in values]
            epochs = range(1, len(points) + 1)
            look: dict[str, Any] = {"color": OVERLAID[colour], "linestyle": LINES[turn % len(LINES)], "linewidth": 1.4}
            axes.plot(epochs, points, marker=mark, markersize=4, label=label, **look)
        axes.set(xlabel="epoch" if place == len(curves) else "", ylabel=shortened(name.replace("_", " "), 40))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        if place == 1:
            axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.savefig(path, dpi=120)


@plain_texts
def draw_search(values: Mapping[int, float], pruned: Mapping[int, float], path: Path, *, name: str, mode: str) -> None:
    """The value of each trial by its number, and the best so far; of pruned trials the last value."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(list(values), list(values.values()), "o", color=BLUE, markersize=4, label="completed")
    if pruned:
        axes.plot(list(pruned), list(pruned.values()), "x", color=GREY, markersize=5, label="pruned, its last value")
    best = list(accumulate(values.values(), min if mode == "min" else max))
    axes.step(list(values), best, where="post", color=ORANGE, linewidth=1.5, label="best so far")
    _show_bulk(axes, [*values.values(), *pruned.values()], best, mode)
    axes.set(xlabel="trial", ylabel=name.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def _show_bulk(axes: Axes, values: Sequence[float], best: Sequence[float], mode: str) -> None:
    """Cut off what is so bad that nothing else could be told apart."""
    distances = sorted(abs(value - best[-1]) for value in values)
    room = 3 * distances[(3 * len(distances)) // 4]
    if distances[-1] > 2 * room > 0:
        low, high = (0.1, 1.0) if mode == "min" else (1.0, 0.1)
        axes.set_ylim(best[-1] - low * room, best[-1] + high * room)
        axes.set_title(f"{sum(distance > room for distance in distances)} trials far off are not shown", fontsize=9)


@plain_texts
def draw_bars(shares: Mapping[str, float], path: Path, *, label: str) -> None:
    """Horizontal bars, the largest on top."""
    ordered = sorted(shares.items(), key=lambda item: item[1])
    figure = Figure(figsize=(6.4, min(MOST_INCHES, 1.2 + 0.35 * len(ordered))), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([shortened(name, 40) for name, _ in ordered], [share for _, share in ordered], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axes.set(xlabel=label.replace("_", " "))
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


@dataclass(frozen=True)
class Axis:
    """One of several parallel axes: for numbers, or for the `values` of a choice."""

    name: str
    values: tuple[object, ...] = ()
    log: bool = False


@plain_texts
def draw_parallel(
    axes: Sequence[Axis], lines: Sequence[tuple[Mapping[str, object], float]], path: Path, *, name: str, mode: str
) -> None:
    """Parallel coordinates: a line for each trial across its parameters to its value, the better the darker. Where a
    trial has no such parameter the line passes without a point.
    """
    ordered = sorted(lines, key=lambda line: line[1], reverse=mode == "min")  # the best ones last, on top
    shown = [*axes, Axis(name)]
    columns = [_scaled(axis, [{**params, name: value}.get(axis.name) for params, value in ordered]) for axis in shown]
    figure = Figure(figsize=(min(MOST_INCHES, max(6.4, 1.35 * len(shown))), 4.4), layout="constrained")
    plot = figure.add_subplot()
    for number in range(len(ordered)):
        rank = (number + 1) / len(ordered)
        best = number == len(ordered) - 1
        points = {
            place: column[number] for place, (column, _) in enumerate(columns) if column[number] == column[number]
        }
        colour = ORANGE if best else colormaps["Blues"](0.2 + 0.8 * rank)
        width, label = 2 if best else 0.6 + rank, "best" if best else None
        plot.plot([*points], [*points.values()], "-o", color=colour, linewidth=width, markersize=3, label=label)
    for place, (_, ticks) in enumerate(columns):
        plot.axvline(place, color=GREY, linewidth=0.8)
        for height, text in ticks:
            plot.text(
                place + 0.05, height, text, fontsize=7, bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 1}
            )
    names = [shortened(axis.name, 40).replace(".", ".\n", 1) for axis in shown]
    plot.set_xticks(range(len(shown)), names, fontsize=7)
    plot.set(yticks=[], ylim=(-0.05, 1.08), xlim=(-0.1, len(shown) - 0.5))
    plot.spines[["top", "right", "left", "bottom"]].set_visible(False)
    plot.legend(frameon=False, loc="upper right", fontsize=8)
    figure.savefig(path, dpi=120)


@plain_texts
def draw_codes(codes: Any, labels: Any, names: Sequence[str], path: Path) -> None:
    """Points, arrays `(n, axes)`, by their first two axes, each in the colour of its label `(n,)`, where labels are
    known; `names` are those of the labels.
    """
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    across, up = codes[:, 0], codes[:, min(1, codes.shape[1] - 1)]
    look: dict[str, Any] = {"s": 4, "alpha": 0.6, "linewidths": 0}
    if labels is None or len(names) > MOST_COLOURS:
        axes.scatter(across, up, color=BLUE, **look)
    else:
        for number, name in enumerate(names):
            own, colour = labels == number, colormaps["tab10" if len(names) <= 10 else "tab20"](number)
            axes.scatter(across[own], up[own], color=colour, label=shortened(name, 20), **look)
        figure.legend(loc="outside right upper", frameon=False, fontsize=8, markerscale=3)
    axes.set(xlabel="axis 1 of the code", ylabel="axis 2 of the code")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=100)


def _scaled(axis: Axis, values: Sequence[object]) -> tuple[list[float], list[tuple[float, str]]]:
    """Heights from 0 to 1, nan for what is missing, and the texts beside some heights."""
    if axis.values:
        last = max(1, len(axis.values) - 1)
        heights = [nan if value is None else axis.values.index(value) / last for value in values]
        return heights, [(place / last, shortened(str(value), 12)) for place, value in enumerate(axis.values)]
    numbers = [nan if value is None else float(str(value)) for value in values]
    numbers = [log10(number) if axis.log else number for number in numbers]
    low, high = min(n for n in numbers if n == n), max(n for n in numbers if n == n)
    width = high - low
    ticks = [(share, low + share * width) for share in ((0.0, 0.5, 1.0) if width else (0.5,))]
    heights = [(number - low) / width if width else number - low + 0.5 for number in numbers]
    return heights, [(height, f"{10**number if axis.log else number:.3g}") for height, number in ticks]
