"""One or a few pictures that are changed themselves, by DeepDream or style transfer."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import sklearn
from PIL import Image

import dlrun
from dlrun.data._dataset import Dataset
from dlrun.data._image_decoding import FORMATS, UNREADABLE, Look, decode
from dlrun.data._images import NAME, ImageEncoder
from dlrun.data._sources import DataContext
from dlrun.errors import DataError
from dlrun.files import first_line
from dlrun.sklearn_names import SAMPLE_PICTURES
from dlrun.spec import Count, DataPath

_KEY = ("data", "path")
_SMALLEST = 32  # pixels of a side; below that no base has maps left


@dlrun.dataset("pictures")
def pictures(context: DataContext, *, path: DataPath | list[DataPath], height: Count | None = None) -> Dataset:
    """One or several pictures without targets, all in the size of the first.

    `path`: a file or several, or a picture that scikit-learn brings: `china.jpg`, `flower.jpg`. `height`: rows of
    pixels that the first is scaled to, its width in proportion; null: as it is. The others are stretched to that size,
    as in the book (DLwP, listing 8-14).
    """
    names = [path] if isinstance(path, str) else path
    if not names:
        raise DataError("there are no pictures", key=_KEY)
    files = [_locate(context, name) for name in names]
    width, rows = _size(files[0])
    if height is not None:
        width, rows = max(1, int(width * height / rows)), height
    if min(width, rows) < _SMALLEST:
        received = f"{files[0].name}: {width} x {rows}"
        raise DataError("the picture is too small", key=_KEY, received=received, expected=f"{_SMALLEST} pixels a side")
    look = Look(rows, width, "rgb", "bicubic")
    nobody = np.arange(0)
    return Dataset(
        name="pictures",
        raw={NAME: np.stack([_decoded(file, look) for file in files])},
        targets={},
        encoder=ImageEncoder(look),
        tasks={},
        parts={"validation": nobody, "test": nobody},
        columns={"file": np.array([file.name for file in files])},
        files=files,
    )


def _locate(context: DataContext, name: str) -> Path:
    """The file; scikit-learn's sample only where the user has none of that name."""
    try:
        return context.locate(name, _KEY)
    except DataError:
        if name not in SAMPLE_PICTURES:
            raise
    return Path(sklearn.__file__).parent / "datasets" / "images" / name


def _size(file: Path) -> tuple[int, int]:
    """Width and height in pixels. Raises DataError."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(file.read_bytes()), formats=FORMATS) as image:
            warnings.simplefilter("ignore")
            return image.size
    except UNREADABLE as error:
        raise _unreadable(file, error) from error


def _decoded(file: Path, look: Look) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode(file.read_bytes(), look)
    except UNREADABLE as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: BaseException) -> DataError:
    reason = "it is no image" if isinstance(error, Image.UnidentifiedImageError) else first_line(error)
    return DataError(f"{file} cannot be read: {reason}", key=_KEY, expected=f"a picture: {', '.join(FORMATS)}")
