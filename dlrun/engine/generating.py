"""What `dlrun generate` hands to the function `generate` of a run's routine, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import keras

from dlrun.config.schema import Config
from dlrun.data._saved import Saved, load_preprocessing
from dlrun.engine.model_files import load_model
from dlrun.run_dir import RunDir

Stream = Callable[[str, str], None]  # the title of a text, and the piece of it that has come


def ignore_text(title: str, piece: str) -> None:
    """What streams to nobody."""


@dataclass(frozen=True)
class Request:
    """A run to generate from. `folder` is there, empty, and takes the files; a text goes to `stream` as it comes.

    All that is random hangs on `seed`.
    """

    run: RunDir
    config: Config
    folder: Path
    seed: int = 1
    weights: str = "best"
    stream: Stream = ignore_text

    def model(self, name: str = "") -> keras.Model:
        """The run's model, or that of its models by name. Raises RunDirError."""
        return load_model(self.run.model_file(self.weights, name))

    @cached_property
    def saved(self) -> Saved:
        """The run's encoder and spec. Raises RunDirError."""
        return load_preprocessing(self.run.preprocess)


@dataclass(frozen=True)
class Generated:
    """What a routine has made: texts by their titles, files in the request's folder, and what else is worth telling,
    as JSON values.
    """

    texts: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
