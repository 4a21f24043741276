"""Checkpoints from which a run continues exactly: weights, optimizers, seeds, callbacks, history, best weights.

Layout: `checkpoint/000003/` after epoch 3, `checkpoint/000003-000120/` after step 120 of epoch 4; each holds
`state.json` with its checksum and `arrays.npz`, which has checksums of its own. A generation is written under a
temporary name, flushed and renamed; the two newest are kept, so a crash at any moment leaves a whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun.engine.callback_state import CallbackStates
from dlrun.engine.progress import Progress
from dlrun.engine.session import count_sharing
from dlrun.engine.variables import metrics_variables, state_variables
from dlrun.errors import RunDirError
from dlrun.files import first_line

FORMAT = 2  # 1 knew no steps and had no checksum of the state
KEPT = 2
_NAME = re.compile(r"(\d{6,})(?:-(\d{6,}))?")
_DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),  # what garbage inside a zip file makes NumPy raise
)


@dataclass(frozen=True)
class Checkpoint:
    """A generation, read back or still in memory: where it lies, its state and its arrays."""

    path: Path
    state: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return int(self.state["epoch"])

    @property
    def step(self) -> int:
        """Steps done in the epoch after those; 0 when it has not begun."""
        return int(self.state["step"])

    @property
    def stopped(self) -> bool:
        """Whether a callback had ended training."""
        return bool(self.state["stopped"])

    @property
    def stage(self) -> int:
        """The stage that was running, counted from 0."""
        return int(self.state.get("stage", 0))

    @property
    def stage_began(self) -> int:
        """Epochs done when it began."""
        return int(self.state.get("stage_began", 0))

    @property
    def good(self) -> Checkpoint | None:
        """The end of the last whole epoch, to roll back to: this one, or what one inside an epoch holds of it."""
        if not self.step:
            return self
        state = self.state.get("good")
        if state is None:
            return None
        arrays = {name[5:]: array for name, array in self.arrays.items() if name.startswith("good/")}
        return Checkpoint(self.path.with_name(_name(self.epoch, 0)), state, arrays)

    def copied(self) -> Checkpoint:
        """One whose arrays do not change with the run; the best weights never do."""
        arrays = {name: a if name.startswith("best/") else np.array(a) for name, a in self.arrays.items()}
        return replace(self, arrays=arrays)

    def group(self, name: str) -> list[np.ndarray]:
        """The arrays `name/0`, `name/1`, ... in order."""
        count = sum(key.startswith(f"{name}/") for key in self.arrays)
        return [self.arrays[f"{name}/{number}"] for number in range(count)]


def take(
    folder: Path, model: keras.Model, callbacks: Sequence[keras.callbacks.Callback], progress: Progress
) -> Checkpoint:
    """The generation for the epochs and steps done so far, in memory; its arrays may be those of the run itself."""
    groups = state_variables(model)
    if progress.step:  # at the end of an epoch they have served
        groups["metrics"] = metrics_variables(model)
    arrays = {
        f"{group}/{number}": _plain(keras.ops.convert_to_numpy(variable))
        for group, variables in groups.items()
        for number, variable in enumerate(variables)
    }
    arrays |= {f"best/{number}": _plain(array) for number, array in enumerate(progress.best_weights or [])}
    states = CallbackStates.of(callbacks)
    arrays |= {name: _plain(array) for name, array in states.arrays.items()}
    state = {
        "format": FORMAT,
        "epoch": progress.epochs,
        "step": progress.step,
        "elapsed": progress.elapsed,
        "logs": progress.logs,
        "history": list(progress.history),
        "seconds": list(progress.seconds),
        "best_epoch": progress.best_epoch,
        "stopped": progress.stopped,
        "rollbacks": list(progress.rollbacks),
        "stage": progress.stage,
        "stage_began": progress.stage_began,
        "callbacks": states.entries,
        "devices": count_sharing(),
    }
    return Checkpoint(folder / _name(progress.epochs, progress.step), state, arrays)


def save(checkpoint: Checkpoint, good: Checkpoint | None = None) -> None:
    """Write a generation; one inside an epoch with the state to roll back to, if there is one.

    Raises RunDirError when it cannot be written.
    """
    state, arrays = checkpoint.state, checkpoint.arrays
    if checkpoint.step and good:
        state = {**state, "good": good.state}
        arrays = {**arrays, **{f"good/{name}": array for name, array in good.arrays.items()}}
    try:
        _write_generation(checkpoint.path.parent, checkpoint.path.name, json.dumps(state), arrays)
    except OSError as error:
        raise RunDirError(f"the checkpoint {checkpoint.path} cannot be written: {error.strerror or error}") from error


def _write_generation(folder: Path, name: str, state: str, arrays: dict[str, np.ndarray]) -> None:
    """Raises OSError, and leaves the older generations as they were then."""
    folder.mkdir(exist_ok=True)
    for left_behind in folder.glob(".*.tmp"):  # by a process that died while writing; the run's lock keeps others out
        shutil.rmtree(left_behind, ignore_errors=True)
    temporary, replaced, target = folder / f".{name}.tmp", folder / f".{name}.old.tmp", folder / name
    try:
        temporary.mkdir()
        with (temporary / "arrays.npz").open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
            stream.flush()
            os.fsync(stream.fileno())
        for file, content in (("state.json", state), ("state.sha256", _checksum(state))):
            with (temporary / file).open("w", encoding="utf-8") as text:
                text.write(content)
                text.flush()
                os.fsync(text.fileno())
        _sync_folder(temporary)
        if target.exists():
            target.rename(replaced)
        temporary.rename(target)
        _sync_folder(folder)
    finally:
        if replaced.exists() and not target.exists():
            replaced.rename(target)
        for left in (temporary, replaced):
            shutil.rmtree(left, ignore_errors=True)
    for old in generations(folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _checksum(state: str) -> str:
    """A line as `sha256sum -c` takes it."""
    return f"{hashlib.sha256(state.encode()).hexdigest()}  state.json\n"


def _sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a loss of power; where a folder cannot be opened (Windows) there is no way."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def generations(folder: Path) -> list[Path]:
    """Finished generations, newest first."""
    found = [path for path in folder.glob("[0-9]*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=_position, reverse=True)


def _name(epochs: int, step: int) -> str:
    return f"{epochs:06d}" + (f"-{step:06d}" if step else "")


def _position(generation: Path) -> tuple[int, int]:
    """Epochs done, and steps in the epoch after them."""
    match = _NAME.fullmatch(generation.name)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def newest(folder: Path) -> str | None:
    """When the newest generation was written, such as `after epoch 3`; None when there is none."""
    for generation in generations(folder):
        epoch, step = _position(generation)
        return f"after step {step} of epoch {epoch + 1}" if step else f"after epoch {epoch}"
    return None


def remove_newer(folder: Path, checkpoint: Checkpoint) -> None:
    """Remove the generations after this one, which were found damaged: what they hold is computed again."""
    for generation in generations(folder):
        if _position(generation) > _position(checkpoint.path):
            shutil.rmtree(generation, ignore_errors=True)


def read(folder: Path, *, with_good: bool = False) -> Checkpoint:
    """The newest whole generation; `with_good` one from which a run can roll back.

    Raises RunDirError when there is none or it has a newer format.
    """
    tried = []
    for generation in generations(folder):
        try:
            found = _read_generation(generation)
        except _DAMAGE as error:
            tried.append(f"{generation.name}: {first_line(error)}")
            continue
        if not with_good or found.good:
            return found
        tried.append(f"{generation.name}: it lies inside an epoch and does not hold the end of the one before")
    raise RunDirError(
        f"there is no whole checkpoint in {folder}",
        received="\n".join(tried) or None,
        hint=f"remove {folder}, and the run is computed again from its start",
    )


def _read_generation(generation: Path) -> Checkpoint:
    """Raises one of _DAMAGE, RunDirError for a newer format."""
    text = (generation / "state.json").read_text(encoding="utf-8")
    state = json.loads(text)
    written = state["format"]
    if isinstance(written, int) and written > FORMAT:
        raise RunDirError(
            f"the checkpoint {generation} has format {written}",
            expected=f"format {FORMAT}",
            hint="it was written by a newer dlrun",
        )
    with np.load(generation / "arrays.npz", allow_pickle=False) as file:
        arrays = dict(file)
    if written == 1:
        return Checkpoint(generation, {"step": 0, "elapsed": 0.0, "logs": {}, **state}, arrays)
    if (generation / "state.sha256").read_text(encoding="utf-8") != _checksum(text):
        raise ValueError("state.json does not have the checksum in state.sha256")
    return Checkpoint(generation, state, arrays)


def _plain(array: np.ndarray) -> np.ndarray:
    """The array in a type that npz keeps: bfloat16 becomes float32, which holds it exactly."""
    return array.astype("float32") if array.dtype.name == "bfloat16" else array
