"""What is compared with what, and where the data of each pair is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent
JENA = "jena_climate/jena_roof_2024_14features.csv"


@dataclass(frozen=True)
class Pair:
    """A plain script and the dlrun config that does the same work: `scripts/NAME.py`, `configs/NAME.yaml`.

    `file` is the data file below the data folder, empty when none is needed. `metric` is the validation metric that
    shows that both learn the same, `tolerance` how far the two may lie apart, either way. With `--quick` there are
    `quick_epochs` epochs, on the first `quick_rows` of `rows` rows of data (0: on all).
    """

    name: str
    file: str
    metric: str
    tolerance: float
    quick_epochs: int = 2
    quick_rows: int = 0
    rows: int = 0

    @property
    def script(self) -> Path:
        return FOLDER / "scripts" / f"{self.name}.py"

    @property
    def config(self) -> Path:
        return FOLDER / "configs" / f"{self.name}.yaml"

    def quick_variables(self) -> dict[str, str]:
        """Environment variables that make the script short."""
        rows = {"ROWS": str(self.quick_rows)} if self.quick_rows else {}
        return {"EPOCHS": str(self.quick_epochs), **rows}

    def quick_options(self) -> list[str]:
        """Options that make `dlrun train` equally short: all rows behind the first ones become test rows."""
        rows = ["-s", f"split.test={self.rows - self.quick_rows}"] if self.quick_rows else []
        return ["-s", f"training.epochs={self.quick_epochs}", *rows]


PAIRS = (
    Pair("digits", "", "val_accuracy", 0.04, quick_epochs=10),
    Pair("mnist_dense", "mnist/mnist.npz", "val_accuracy", 0.03, 3, 12_000, 70_000),
    Pair("mnist_convnet", "mnist/mnist.npz", "val_accuracy", 0.04, 2, 12_000, 70_000),
    Pair("imdb_dense", "imdb/imdb.npz", "val_accuracy", 0.04, quick_epochs=3),
    Pair("reuters_dense", "reuters/reuters.npz", "val_accuracy", 0.06, quick_epochs=3),
    Pair("boston", "boston_housing/boston_housing.npz", "val_mae", 1.5, quick_epochs=4),
    Pair("imdb_embed8", "imdb/imdb.npz", "val_accuracy", 0.05, 3, 8_000, 50_000),
    Pair("imdb_lstm", "imdb/imdb.npz", "val_accuracy", 0.15, 2, 4_000, 50_000),
    Pair("imdb_conv1d", "imdb/imdb.npz", "val_accuracy", 0.15, 2, 4_000, 50_000),
    Pair("jena_dense", JENA, "val_loss", 3.0),  # validation is another season, so this swings
    Pair("jena_gru", JENA, "val_loss", 0.3),
)


def find_data(file: str) -> Path | None:
    """A data file in `$DLRUN_DATA` or, if Keras publishes it, in Keras' cache; None when it is nowhere."""
    name = Path(file).name
    places = []
    if root := os.environ.get("DLRUN_DATA"):
        places += [Path(root) / file, Path(root) / name]
    if file != JENA:
        keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
        places.append(keras_home / "datasets" / name)
    return next((place.absolute() for place in places if place.is_file()), None)


@contextmanager
def data_folders(found: dict[str, Path]) -> Iterator[dict[str, str]]:
    """Environment variables of a data folder and a Keras cache that hold links to the files found, by `Pair.file`.

    Both sides read from there, so that neither searches longer than the other. The word index that may lie beside a
    file comes along, since dlrun reads it.
    """
    with TemporaryDirectory(prefix="dlrun-bench-") as folder:
        data, cache = Path(folder) / "data", Path(folder) / "keras" / "datasets"
        for file, path in found.items():
            for target in (path, path.with_name(f"{path.stem}_word_index.json")):
                for link in (data / Path(file).parent / target.name, cache / target.name):
                    if target.is_file():
                        link.parent.mkdir(parents=True, exist_ok=True)
                        link.symlink_to(target)
        yield {"DLRUN_DATA": str(data), "KERAS_HOME": str(cache.parent)}
