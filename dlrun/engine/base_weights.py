"""The weights of a pretrained base: a published file, a file of the user's, or those of an earlier run."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

import keras

from dlrun.applications import APPLICATIONS, Application
from dlrun.config.schema import Component, Config
from dlrun.data._sources import Download
from dlrun.data_places import KERAS_MODELS, WEIGHTS, data_context, find_published_weights
from dlrun.engine.model_files import load_model
from dlrun.errors import ConfigError, DataError
from dlrun.registry import MODELS
from dlrun.run_dir import RunDir
from dlrun.spec import DataSpec

_KEY = ("model", "weights")


def with_base_weights(component: Component, config: Config, spec: DataSpec) -> tuple[Component, dict[str, Any] | None]:
    """The section `model` with a file's path or arrays in place of what its `weights` say, and where they are from:
    the file or the run, and their SHA-256.

    Raises DataError when a file or run is not there, or a file not what was published, ConfigError and RunDirError for
    a run that has no such base.
    """
    known = MODELS.describe(component.name, config.plugins).signature.keyword_parameters()
    wanted = component.parameters.get("weights")
    annotation = known["weights"].annotation if "weights" in known else None
    if wanted is None or not annotation or "BaseWeights" not in ast.unparse(annotation):
        return component, None
    base = str(component.parameters.get("base"))
    if isinstance(wanted, dict):
        run, arrays = _run_at(Path(wanted["from_run"])), list[Any]()
        arrays = _nested(load_model(run.model_file("best")), base, run.id).get_weights()
        mark = hashlib.sha256()
        for array in arrays:
            mark.update(array.tobytes())
        return component.model_copy(update={"weights": arrays}), {"from_run": run.id, "sha256": mark.hexdigest()}
    file = _published(component, config, spec) if wanted == "imagenet" else data_context(config).locate(wanted, _KEY)
    found = {"file": file.name, "sha256": _digest(file, "sha256")}
    return component.model_copy(update={"weights": str(file)}), found


def _run_at(path: Path) -> RunDir:
    if not RunDir(path).record_file.exists():
        raise DataError(
            f"there is no run at {path}",
            key=(*_KEY, "from_run"),
            expected="the folder of a run, relative to the file that names it",
            hint="`dlrun runs --json` says where runs lie",
        )
    return RunDir(path)


def _nested(model: keras.Model, base: str, run: str) -> keras.Model:
    for layer in model.layers:
        if isinstance(layer, keras.Model) and layer.name == base:
            return layer
    raise ConfigError(f"the model of the run {run} has no base {base}", key=(*_KEY, "from_run"))


def _published(component: Component, config: Config, spec: DataSpec) -> Path:
    """The file with the ImageNet weights of a base, with the content that was published. Raises DataError."""
    base = str(component.parameters.get("base"))
    known = APPLICATIONS.get(base)
    if known is None:
        hint = "name a file: model.weights: PATH"
        raise ConfigError(f"there are no published weights for the base {base!r}", key=_KEY, hint=hint)
    shape = spec.input.shape
    side = int(shape[0] or 0) if len(shape) == 3 and shape[0] == shape[1] else 0
    name = known.weights_file(float(component.parameters.get("alpha") or 1.0), side)
    try:
        file = data_context(config).locate_file(name, WEIGHTS, _download(known, name))
    except DataError as error:
        (problem,) = error.problems
        message = f"the ImageNet weights of {base} are not there: {name}"
        hint = "put the file into one of these places, or name it with -s model.weights=PATH; null learns from scratch"
        if others := find_published_weights(component, data_context(config))[0]:
            hint = f"those for pictures of another size fit, too: -s model.weights={others[0]}"
        raise DataError(message, key=_KEY, received=problem.received, hint=hint) from error
    if known.file_hash and (found := _digest(file, known.file_hash)) != known.file_hash:
        raise DataError(
            f"{file} is not the published file of {base}",
            key=_KEY,
            received=f"{_algorithm(known.file_hash)} {found}",
            expected=known.file_hash,
            hint="remove it, or name it with -s model.weights=PATH to use it nevertheless",
        )
    return file


def _download(known: Application, name: str) -> Download | None:
    return Download(f"{known.folder}/{name}", known.file_hash, KERAS_MODELS) if known.folder else None


def _algorithm(like: str) -> str:
    return "sha256" if len(like) == 64 or like == "sha256" else "md5"


def _digest(file: Path, like: str) -> str:
    """The hash of a file, of the kind of another one or of that name."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, _algorithm(like)).hexdigest()
