"""Pictures of explanations: grids of channels and filters pixel by pixel, maps beside the pictures they belong to."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from dlrun.drawing import BLUE, GREY, ORANGE, plain_texts, shortened
from dlrun.errors import RunDirError
from dlrun.files import write_bytes

TILE = 64  # pixels of a tile of a grid, about; small ones are enlarged by whole numbers
MARGIN = 4
PER_ROW = 16  # tiles of a grid (DLwP, listing 5-31)
OVERLAY = 0.5  # share of the heat map over the picture
_GROUND, _INK, _CROSS = (255, 255, 255), (40, 40, 40), (150, 150, 150)


def written(path: Path, draw: Callable[[Path], object]) -> Path:
    """The file that `draw` makes, there whole or not at all. Raises RunDirError."""
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        draw(temporary)
        write_bytes(path, temporary.read_bytes())
    except OSError as error:
        raise RunDirError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def draw_channels(channels: np.ndarray, path: Path, caption: str) -> Path:
    """All channels `(height, width, channels)` of a layer as tiles in viridis, 16 in a row (DLwP, figure 5-27).

    Each is moved to a mean of 0, divided by its standard deviation, times 64, plus 128, and cut to 0 to 255. A constant
    channel, which has no standard deviation, is crossed out.
    """
    values = channels.astype("float64")
    spread = values.std(axis=(0, 1))
    shown = (values - values.mean(axis=(0, 1))) / np.where(spread > 0, spread, 1) * 64 + 128
    colours = colormaps["viridis"](np.clip(shown, 0, 255) / 255)[..., :3]
    tiles = [(colours[:, :, place] * 255).astype("uint8") for place in range(values.shape[2])]
    return _save_grid(tiles, path, caption, crossed={int(place) for place in np.flatnonzero(spread == 0)})


def draw_filters(patterns: np.ndarray, path: Path, caption: str, dead: Sequence[int]) -> Path:
    """The patterns `(filters, height, width, 1 or 3)` that filters answer to, as tiles; `dead` ones are crossed out.

    Each is moved to a mean of 0.5 and a standard deviation of 0.1, and cut to 0 to 1 (DLwP, listing 5-36).
    """
    flat = patterns.reshape(len(patterns), -1).astype("float64")
    scaled = (flat - flat.mean(axis=1, keepdims=True)) / (flat.std(axis=1, keepdims=True) + 1e-5) * 0.1 + 0.5
    shown = (np.clip(scaled, 0, 1) * 255).astype("uint8").reshape(patterns.shape)
    return _save_grid(list(np.broadcast_to(shown, (*shown.shape[:3], 3))), path, caption, crossed=set(dead), columns=8)


def _save_grid(
    tiles: Sequence[np.ndarray], path: Path, caption: str, *, crossed: set[int], columns: int = PER_ROW
) -> Path:
    """Tiles `(height, width, 3)` uint8, all of one size, in rows below a caption."""
    height, width = tiles[0].shape[:2]
    factor = max(1, round(TILE / max(height, width)))
    cell_height, cell_width = height * factor + MARGIN, width * factor + MARGIN
    columns = min(columns, len(tiles))
    font = ImageFont.load_default(14)
    size = max(columns * cell_width + MARGIN, 420), math.ceil(len(tiles) / columns) * cell_height + MARGIN + 24
    canvas = Image.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, 4), shortened(caption, size[0] // 7), fill=_INK, font=font)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        corner = column * cell_width + MARGIN, row * cell_height + MARGIN + 24
        enlarged = Image.fromarray(tile).resize((width * factor, height * factor), Image.Resampling.NEAREST)
        canvas.paste(enlarged, corner)
        if place in crossed:
            right, bottom = corner[0] + width * factor - 1, corner[1] + height * factor - 1
            draw.rectangle([*corner, right, bottom], fill=(235, 235, 235))
            draw.line([*corner, right, bottom], fill=_CROSS, width=2)
            draw.line([corner[0], bottom, right, corner[1]], fill=_CROSS, width=2)
    stream = io.BytesIO()
    canvas.save(stream, "PNG")
    write_bytes(path, stream.getvalue())
    return path


@plain_texts
def draw_map(picture: np.ndarray, values: np.ndarray, path: Path, title: str, *, colours: str = "jet") -> Path:
    """A picture `(height, width, 1 or 3)`, a map of it `(height, width)` from 0 to 1, and both over each other."""
    plain = as_shown(picture)
    figure = Figure(figsize=(7.8, 7.8 / 3 * picture.shape[0] / picture.shape[1] + 0.5), layout="constrained")
    mixed = (1 - OVERLAY) * plain + OVERLAY * colormaps[colours](values)[..., :3]
    for place, shown in enumerate((plain, values, mixed), 1):
        axes = figure.add_subplot(1, 3, place)
        drawn = axes.imshow(shown, cmap=colours, vmin=0, vmax=1)
        axes.axis("off")
        if place == 2:
            figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02).ax.tick_params(labelsize=7)
    figure.suptitle(shortened(title, 110), fontsize=9)
    return written(path, lambda file: figure.savefig(file, dpi=110))


def as_shown(picture: np.ndarray) -> np.ndarray:
    """A picture as the model gets it as `(height, width, 3)` from 0 to 1, whatever its scale is."""
    low, high = float(picture.min()), float(picture.max())
    if low < 0 or high > 1:
        picture = (picture - low) / ((high - low) or 1)
    return np.broadcast_to(picture, (*picture.shape[:2], 3)).astype("float32")


@plain_texts
def draw_plane(
    values: np.ndarray, path: Path, title: str, *, rows: Sequence[str] = (), axis: str = "", bar: str = ""
) -> Path:
    """Numbers `(rows, columns)` as coloured cells, with names of the rows if there are as many."""
    figure = Figure(figsize=(8, min(30, max(1.8, 0.22 * len(values) + 1.2))), layout="constrained")
    axes = figure.add_subplot()
    drawn = axes.imshow(values, cmap="viridis", aspect="auto", interpolation="nearest")
    if len(rows) == len(values):
        axes.set_yticks(range(len(rows)), [shortened(name, 24) for name in rows], fontsize=7)
    elif len(values) == 1:
        axes.set_yticks([])
    axes.set_xlabel(axis, fontsize=8)
    axes.tick_params(labelsize=7)
    figure.colorbar(drawn, ax=axes, label=bar)
    figure.suptitle(shortened(title, 110), fontsize=9)
    return written(path, lambda file: figure.savefig(file, dpi=110))


@plain_texts
def draw_importances(names: Sequence[str], repeats: np.ndarray, path: Path, *, label: str, title: str) -> Path:
    """A bar for each name, the last on top, with each of the `repeats` `(names, repeats)` as a point."""
    figure = Figure(figsize=(6.8, min(40, 1.3 + 0.3 * len(names))), layout="constrained")
    axes = figure.add_subplot()
    heights = range(len(names))
    axes.barh(heights, repeats.mean(axis=1), color=BLUE, alpha=0.8)
    axes.plot(repeats, heights, ".", color=ORANGE, markersize=4)
    axes.set_yticks(heights, [shortened(name, 40) for name in names])
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_xlabel(label, fontsize=9)
    axes.set_title(shortened(title, 110), fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return written(path, lambda file: figure.savefig(file, dpi=110))


@plain_texts
def draw_lines(
    places: Sequence[float], curves: Mapping[str, Sequence[float]], path: Path, title: str, labels: tuple[str, str]
) -> Path:
    """Curves over the same places, in the order given, evenly apart; `labels` are those of the axes."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, values), colour, mark in zip(curves.items(), (ORANGE, BLUE, GREY), ("o", "s", "x"), strict=False):
        axes.plot(range(len(places)), values, marker=mark, markersize=4, color=colour, label=shortened(name, 60))
    axes.set_xticks(range(len(places)), [f"{place:g}" for place in places])
    axes.set(xlabel=labels[0], ylabel=labels[1], ylim=(-0.02, 1.02))
    axes.set_title(shortened(title, 110), fontsize=9)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return written(path, lambda file: figure.savefig(file, dpi=110))
