"""What `predict` and `evaluate` need of the data, kept in the run as JSON."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlrun.data import _arrays, _table, _words  # noqa: F401  registers the encoders that runs may hold
from dlrun.data._dataset import ENCODERS, Encoder, Prepared, TargetScale
from dlrun.errors import RunDirError, listing
from dlrun.spec import DataSpec, InputSpec, Task

FORMAT = 1
FILE_NAME = "preprocess.json"


@dataclass(frozen=True)
class Saved:
    """The preprocessing of a finished run."""

    dataset: str
    encoder: Encoder
    spec: DataSpec
    target_scale: TargetScale | None


def save_preprocessing(prepared: Prepared, folder: Path) -> None:
    """Write the fitted preprocessing below `folder`, which is made if need be."""
    scale = prepared.target_scale
    content = {
        "format": FORMAT,
        "dataset": prepared.dataset,
        "encoder": {"kind": prepared.encoder.kind, "state": prepared.encoder.get_state()},
        "inputs": {name: asdict(spec) for name, spec in prepared.spec.inputs.items()},
        "tasks": {name: asdict(task) for name, task in prepared.spec.tasks.items()},
        "target_scale": asdict(scale) if scale else None,
    }
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE_NAME}.{os.getpid()}"
    temporary.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    temporary.replace(folder / FILE_NAME)


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
    if isinstance(found, int) and found > FORMAT:
        raise RunDirError(
            f"{path} was written by a newer dlrun",
            received=f"format {found}",
            expected=f"format {FORMAT}",
            hint="update dlrun",
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
    scale = content["target_scale"]
    return Saved(
        dataset=content["dataset"],
        encoder=ENCODERS[kind].from_state(content["encoder"]["state"]),
        spec=DataSpec(
            {name: InputSpec(**value | {"shape": tuple(value["shape"])}) for name, value in content["inputs"].items()},
            {name: Task(**value | {"labels": tuple(value["labels"])}) for name, value in content["tasks"].items()},
        ),
        target_scale=TargetScale(tuple(scale["mean"]), tuple(scale["std"])) if scale else None,
    )
