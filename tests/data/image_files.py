"""Makes small image files for tests."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed=0, *, mode="RGB", size=(9, 7)):
    """A Pillow image of random pixels; `size` is width, height."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype("uint8")
    return Image.fromarray(pixels).convert(mode)


def image_bytes(form="png", **options):
    stream = io.BytesIO()
    picture(**options).save(stream, {"jpg": "JPEG"}.get(form, form.upper()))
    return stream.getvalue()


def write_images(folder, names):
    """An image for each name, all different."""
    for seed, name in enumerate(names):
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(name.rsplit(".", 1)[-1], seed=seed))
    return Path(folder)


def write_classes(folder, rows=4, labels=("cats", "dogs"), form="png"):
    """A folder for each class with files 0.png, 1.png, ..."""
    return write_images(folder, [f"{label}/{row}.{form}" for label in labels for row in range(rows)])


def zipped(folder, path):
    """A zip archive of what lies in a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path
