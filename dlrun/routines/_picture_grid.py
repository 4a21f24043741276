"""Pictures beside each other, pixel by pixel."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from dlrun.files import write_bytes

TILE = 64  # pixels of a tile, about; small pictures are enlarged by whole numbers
MARGIN = 2


def draw_grid(pictures: np.ndarray, path: Path, *, columns: int | None = None) -> Path:
    """Pictures `(n, height, width, 1 or 3)` from 0 to 1 as a PNG; what lies outside is cut. A square unless `columns`
    are stated. The same bytes for the same pictures.
    """
    tiles = (np.clip(pictures, 0, 1) * 255).round().astype("uint8")
    count, height, width = tiles.shape[:3]
    columns = columns or math.ceil(math.sqrt(count))
    factor = max(1, round(TILE / max(height, width)))
    down, right = height * factor + MARGIN, width * factor + MARGIN
    canvas = np.full((math.ceil(count / columns) * down + MARGIN, columns * right + MARGIN, 3), 255, "uint8")
    for place, tile in enumerate(tiles):
        top, left = place // columns * down + MARGIN, place % columns * right + MARGIN
        large = tile.repeat(factor, axis=0).repeat(factor, axis=1)
        canvas[top : top + height * factor, left : left + width * factor] = large
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "PNG", optimize=True)
    write_bytes(path, buffer.getvalue())
    return path
