"""Made-up scenes from two cameras, for one net that looks at both pictures (DLwP 7.1.6)."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlrun
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._several_arrays import ArraysEncoder
from dlrun.data._sources import DataContext
from dlrun.errors import DataError
from dlrun.spec import Count, Task

SEED = 716  # the scenes are the same for every seed of a run
METRES = (2.0, 8.0)
SHIFT, RADIUS = 0.3, 0.5  # at one metre, as shares of the side: how far the views are apart, and how large the disc is


@dlrun.dataset("stereo_views")
def stereo_views(context: DataContext, *, rows: int = 200, size: Count = 250) -> Dataset:
    """Generated pictures of a disc by two cameras, `left` and `right`, with its distance in metres.

    `rows`: how many scenes. `size`: side of the pictures in pixels. The nearer the disc, the larger it is, and the
    further apart in the two views. The book has the net, but no data (DLwP 7.1.6).
    """
    if rows < 10 or size < 16:
        received = f"{rows} and {size}"
        raise DataError(
            "data.rows or data.size is too small", key=("data",), received=received, expected="at least 10 and 16"
        )
    random = np.random.default_rng(SEED)
    distance = random.uniform(*METRES, rows)
    middle = random.uniform(0.35, 0.65, (rows, 2))
    colour = random.integers(120, 256, (rows, 3))
    views = {
        name: np.stack(
            [
                _view(random, size, middle[n] + (side * SHIFT / distance[n] / 2, 0), RADIUS / distance[n], colour[n])
                for n in range(rows)
            ]
        )
        for name, side in (("left", 1), ("right", -1))
    }
    pixels: dict[str, Any] = {"dtype": "uint8", "divide_by": 255.0, "value_range": (0, 255)}
    return Dataset(
        name="stereo_views",
        raw=views,
        targets={"distance": distance.astype("float32")},
        encoder=ArraysEncoder([ArrayEncoder(name, (size, size, 3), **pixels) for name in views]),
        tasks={"distance": Task("regression", unit="m")},
        scale_targets=True,
        notes=["the pictures are generated, so --sample changes nothing"] if context.sample else [],
    )


def _view(random: np.random.Generator, size: int, middle: np.ndarray, radius: float, colour: np.ndarray) -> np.ndarray:
    """A disc on a noisy ground, `(size, size, 3)`; middle `(x, y)` and radius are shares of the side."""
    picture = random.integers(0, 80, (size, size, 3), dtype="uint8")
    places = (np.arange(size) + 0.5) / size
    inside = (places[None, :] - middle[0]) ** 2 + (places[:, None] - middle[1]) ** 2 < radius**2
    picture[inside] = colour
    return picture
