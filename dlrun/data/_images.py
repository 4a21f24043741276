"""The encoder of images of one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from dlrun.data._arrays import ArrayEncoder, centre
from dlrun.data._augmentation import vary
from dlrun.data._dataset import Arrays, Encoder, encoder
from dlrun.data._image_decoding import Look, decode_all
from dlrun.data._image_files import Files, Source, image_names, open_source
from dlrun.errors import DataError
from dlrun.spec import Augmentation, InputSpec

NAME = "image"
MOST_BYTES = 2 * 2**30  # of decoded images that one prediction takes


@encoder("images")
class ImageEncoder(Encoder):
    """Images that rest as bytes `(rows, height, width, channels)` and come as shares of 255, float32."""

    def __init__(self, look: Look, augmentation: Augmentation | None = None, *, centred: bool = False) -> None:
        """`augmentation` is for training and no part of the state: nothing else may vary pictures. `centred` ones come
        as -1 to 1.
        """
        self.look, self.augmentation, self.centred = look, augmentation, centred

    def inputs(self) -> dict[str, InputSpec]:
        """The only input, float32."""
        return {NAME: InputSpec(self.look.shape)}

    def apply(self, raw: Arrays) -> Arrays:
        """The images alone; they may be mapped from a file."""
        return {NAME: raw[NAME]}

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """`(batch, height, width, channels)`, 0 to 1, or -1 to 1."""
        # A product, because graph optimisers turn a division by a constant into one and eager execution does not.
        values = ops.cast(ops.take(arrays[NAME], indices, axis=0), "float32") * np.float32(1 / 255)
        return centre(values) if self.centred else values

    def augment(self, inputs: Any, seed: Any) -> Any:
        """The images, varied at random if so asked."""
        return vary(inputs, self.augmentation, seed) if self.augmentation else inputs

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """Image files, and all images in folders and zip archives, decoded as for training."""
        wanted = _wanted(sources)
        if len(wanted) * self.look.bytes > MOST_BYTES:
            raise DataError(
                f"{len(wanted):,} images are too many for one prediction",
                expected=f"at most {MOST_BYTES // self.look.bytes:,} of {self.look.height} x {self.look.width}",
                hint="predict them in several parts",
            )
        images, broken = np.empty((len(wanted), *self.look.shape), "uint8"), []
        for source in dict.fromkeys(source for source, _ in wanted):
            rows = [row for row, (owner, _) in enumerate(wanted) if owner is source]
            for row, found in zip(rows, decode_all(source, [wanted[row][1] for row in rows], self.look), strict=True):
                if isinstance(found, str):
                    broken.append(f"{source.place(wanted[row][1])}: {found}")
                else:
                    images[row] = found
        if broken:
            raise DataError(f"{len(broken):,} of {len(wanted):,} images cannot be read", received="\n".join(broken[:5]))
        return {NAME: images, "file": np.array([source.place(name) for source, name in wanted], object)}

    def read_values(self, values: Any) -> Arrays:
        """Decoded images `(rows, height, width, channels)`, 0 to 255, of the size of training."""
        plain = ArrayEncoder(NAME, self.look.shape, dtype="uint8", value_range=(0, 255))
        images = plain.apply(plain.read_values(values))[NAME]
        return {NAME: images, "file": np.array([f"row {row + 1}" for row in range(len(images))], object)}

    def describe(self, raw: Arrays, row: int) -> str:
        """The name of the file."""
        return str(raw["file"][row])

    def get_state(self) -> dict[str, Any]:
        """How images are decoded, and whether they are centred."""
        return {**self.look.state(), **({"centred": True} if self.centred else {})}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ImageEncoder:
        """The encoder as it was when its state was taken."""
        look = {name: value for name, value in state.items() if name != "centred"}
        return cls(Look(**look), centred=state.get("centred", False))


def _wanted(paths: Sequence[str | Path]) -> list[tuple[Source, str]]:
    """Every image that is meant, with where it is. Raises DataError when one is missing."""
    files, wanted = Files(), list[tuple[Source, str]]()
    for path in map(Path, paths):
        if str(path) == "-":
            raise DataError("images cannot come from standard input", expected="image files, folders or .zip archives")
        if path.is_dir() or path.suffix.lower() == ".zip":
            source = open_source(path)
            wanted += [(source, name) for name in image_names(source)[0]]
        elif path.is_file():
            wanted.append((files, str(path)))
        else:
            raise DataError(f"{path}: there is no such file")
    return wanted
