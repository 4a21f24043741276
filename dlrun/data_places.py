"""Where the files behind a config's data are, told without importing Keras or NumPy."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.applications import APPLICATIONS
from dlrun.config.schema import Component, Config
from dlrun.data._sources import DataContext
from dlrun.errors import DataError, UnknownNameError
from dlrun.registry import DATASETS, MODELS, Registry
from dlrun.sklearn_names import SAMPLE_PICTURES

_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# The files of the published datasets: any one of these groups is enough; each may be compressed (.gz).
PUBLISHED: dict[str, tuple[tuple[str, ...], ...]] = {
    "boston_housing": (("boston_housing.npz",),),
    "california_housing": (("california_housing.npz",),),
    "cifar10": (("cifar10.npz",), ("cifar-10-batches-py",), ("cifar-10-python.tar.gz",)),
    "fashion_mnist": (("fashion_mnist.npz",), _IDX),
    "imdb": (("imdb.npz",),),
    "imdb_raw": (("aclImdb_v1.tar.gz",), ("aclImdb",), ("imdb/aclImdb",), ("imdb/aclImdb_labelled.tar.xz",)),
    "mnist": (("mnist.npz",), _IDX),
    "reuters": (("reuters.npz",),),
}
WEIGHTS = "weights"  # the folder of a data folder where the weights of pretrained bases lie
KERAS_MODELS = "../models"  # where Keras keeps them, seen from its folder for datasets
_CACHE_FOLDERS = {"fashion_mnist": "fashion-mnist", "cifar10": "cifar-10-batches-py-target"}


@dataclass(frozen=True)
class FoundData:
    """The files of a config's data: those that are there, and the names of those that are not."""

    found: list[Path]
    missing: list[str]


def data_context(config: Config) -> DataContext:
    """What the config tells its dataset: seed, `--sample`, the folders to look in."""
    place = config.place(("data", "path"))
    return DataContext(
        seed=config.seed,
        sample=config.data.sample,
        folders=[config.data.dir] if config.data.dir else [],
        config_folder=Path(place.source).parent if place else Path(),
    )


def find_data(config: Config) -> FoundData:
    """The data files of a config, those of its word vectors too; none for datasets that need none or are a plugin's."""
    context, name = data_context(config), config.data.name
    found: list[Path] = []
    missing: list[str] = []
    if config.data.sample:
        return FoundData(found, missing)
    paths = _paths(DATASETS, config.data, "DataPath")
    if config.model:
        paths += _paths(MODELS, config.model, "WordVectors")
        weights = _paths(MODELS, config.model, "BaseWeights")
        paths += [one for one in weights if isinstance(one, str) and one != "imagenet"]
        if "imagenet" in weights:
            found, missing = find_published_weights(config.model, context)
        for run in (Path(one["from_run"]) for one in weights if isinstance(one, dict)):
            if (run / "run.json").exists():
                found.append(run)
            else:
                missing.append(str(run))
    if name in PUBLISHED:
        files = find_published(name, context)
        found += files
        missing += [] if files else [" or ".join(group[0] for group in PUBLISHED[name])]
    for path in paths:
        try:
            found.append(context.locate(path))
        except DataError:
            if path not in SAMPLE_PICTURES or name != "pictures":
                missing.append(path)
    return FoundData(found, missing)


def find_published_weights(model: Component, context: DataContext) -> tuple[list[Path], list[str]]:
    """The file of ImageNet weights, for pictures of any size, and its name if there is none."""
    base = APPLICATIONS.get(str(model.parameters.get("base")))
    names = base.weights_files(float(model.parameters.get("alpha") or 1)) if base else []
    files = [file for name in names if (file := context.find_file(name, WEIGHTS, KERAS_MODELS))]
    return files[:1], [] if files else names[:1]


def find_published(dataset: str, context: DataContext) -> list[Path]:
    """The files of a published dataset in the first form that is there whole; empty when none is."""
    for group in PUBLISHED[dataset]:
        files = [_find(file, dataset, context) for file in group]
        if all(files):
            return [file for file in files if file]
    return []


def _find(file: str, dataset: str, context: DataContext) -> Path | None:
    folders = {"": None, _CACHE_FOLDERS.get(dataset, ""): None}
    for name in (file, f"{file}.gz"):
        for folder in folders:
            if found := context.find_file(name, dataset, folder):
                return found
    return None


def _paths(registry: Registry, component: Component, kind: str) -> list[Any]:
    """The values of a component's arguments that name files or folders, by how they are annotated: paths, or a mapping
    that names a run.
    """
    try:
        known = registry.describe(component.name).signature.keyword_parameters()
    except UnknownNameError:  # of a plugin
        return []
    named = [name for name, p in known.items() if p.annotation and kind in ast.unparse(p.annotation)]
    values = [component.parameters.get(name) for name in named]
    return [path for value in values for path in (value if isinstance(value, list) else [value]) if path]
