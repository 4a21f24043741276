"""What a routine leaves behind while it trains, beside weights: files by epoch, and columns of the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from dlrun.files import make_folder
from dlrun.run_dir import RunDir


@dataclass(frozen=True)
class Artefact:
    """A file in the run and what it shows, in the same few words at each epoch: "latent grid"."""

    file: Path
    what: str


Write = Callable[[int, Path], Sequence[Artefact]]  # gets the epoch, counted from 1, and the folder to write into
Measure = Callable[[int], Mapping[str, float]]  # gets the epoch, counted from 1


class ArtefactWriter(keras.callbacks.Callback):
    """Calls `write` after every so many epochs and after the last one, and lists its files in `run.json`.

    `write` must give the same bytes for the same weights, and draw nothing from the seeds of the model, so that a
    resumed run writes again what it wrote before. Routines append it to `experiment.callbacks`.
    """

    def __init__(self, run: RunDir, write: Write, *, every_epochs: int = 1) -> None:
        super().__init__()
        self._run, self._write, self._every = run, write, every_epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        done = epoch + 1
        last = self.model.stop_training or done == self.params.get("epochs")
        if last or done % self._every == 0:
            list_artefacts(self._run, self._write(done, make_folder(self._run.artefacts)), epoch=done)


class EpochMeasures(keras.callbacks.Callback):
    """Adds what `measure` finds after each epoch to the columns of `history.csv`, where it can be monitored.

    As with artefacts, nothing may be drawn from the seeds of the model.
    """

    def __init__(self, measure: Measure) -> None:
        super().__init__()
        self._measure = measure

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:  # the recorder, which comes later, keeps the same dict
            logs.update(self._measure(epoch + 1))


def list_artefacts(run: RunDir, artefacts: Sequence[Artefact], *, epoch: int | None = None) -> None:
    """Name files in `run.json`, in the order of epochs; those of no epoch stand last.

    A file stands there once, and of epochs after this one nothing: a run that goes on writes them again.
    """
    found = [{"file": one.file.relative_to(run.path).as_posix(), "what": one.what, "epoch": epoch} for one in artefacts]
    files = {one["file"] for one in found}
    before = [one for one in run.record().get("artefacts", []) if one["file"] not in files]
    if epoch is not None:
        before = [one for one in before if one["epoch"] is None or one["epoch"] <= epoch]
        ends = [one for one in before if one["epoch"] is None]
        run.update(artefacts=[*(one for one in before if one["epoch"] is not None), *found, *ends])
    else:
        run.update(artefacts=[*before, *found])
