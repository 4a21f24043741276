"""What `predict` and `evaluate` need of the data, kept in the run as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlrun.data import (  # noqa: F401  registers the encoders that runs may hold
    _arrays,
    _corpus,
    _images,
    _series,
    _several_arrays,
    _table,
    _texts,
    _words,
)
from dlrun.data._dataset import ENCODERS, Encoder, Prepared, TargetScale
from dlrun.errors import RunDirError, listing
from dlrun.files import write_text
from dlrun.spec import DataSpec, InputSpec, Task

FORMAT = 2  # 2: a scale per task
FILE_NAME = "preprocess.json"


@dataclass(frozen=True)
class Saved:
    """The preprocessing of a finished run."""

    dataset: str
    encoder: Encoder
    spec: DataSpec
    target_scales: dict[str, TargetScale]


def save_preprocessing(prepared: Prepared, folder: Path) -> None:
    """Write the fitted preprocessing below `folder`, which is made if need be."""
    content = {
        "format": FORMAT,
        "dataset": prepared.dataset,
        "encoder": {"kind": prepared.encoder.kind, "state": prepared.encoder.get_state()},
        "inputs": {name: asdict(spec) for name, spec in prepared.spec.inputs.items()},
        "tasks": {name: asdict(task) for name, task in prepared.spec.tasks.items()},
        "target_scales": {name: asdict(scale) for name, scale in prepared.target_scales.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    # Not write_json, which would turn a NaN in what was learned into null: here it is a bug to hear of.
    write_text(folder / FILE_NAME, json.dumps(content, ensure_ascii=False, allow_nan=False))


def load_preprocessing(folder: Path) -> Saved:
    """The preprocessing that `save_preprocessing` wrote. Raises RunDirError when it is missing, damaged or newer."""
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunDirError(f"the run has no preprocessing: {path} is missing") from error
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path} cannot be read: {error}", hint="the run is damaged; train it again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise RunDirError(
            f"{path} was written by {'a newer' if found > FORMAT else 'an older'} dlrun",
            received=f"format {found}",
            expected=f"format {FORMAT}",
            hint="update dlrun" if found > FORMAT else "train it again",
        )
    try:
        return _restore(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunDirError(
            f"{path} is damaged: {type(error).__name__}: {error}", hint="the run is damaged; train it again"
        ) from error


def _restore(content: dict[str, Any]) -> Saved:
    kind = content["encoder"]["kind"]
    if kind not in ENCODERS:
        raise RunDirError(
            f"the run needs the encoder {kind!r}, which is not registered",
            expected=listing(ENCODERS),
            hint="it comes from a plugin: name its file under plugins:",
        )
    return Saved(
        dataset=content["dataset"],
        encoder=ENCODERS[kind].from_state(content["encoder"]["state"]),
        spec=DataSpec(
            {name: InputSpec(**value | {"shape": tuple(value["shape"])}) for name, value in content["inputs"].items()},
            {name: Task(**value | {"labels": tuple(value["labels"])}) for name, value in content["tasks"].items()},
        ),
        target_scales={
            name: TargetScale(tuple(scale["mean"]), tuple(scale["std"]))
            for name, scale in content["target_scales"].items()
        },
    )
