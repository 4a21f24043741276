"""How long a run will take: as long as an equal one took, else a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dlrun.config.schema import Config
from dlrun.errors import ConfigError, RunDirError
from dlrun.run_dir import COMPLETED, RunDir
from dlrun.studies._archive import Archive
from dlrun.studies._subjects import Subject

START_SECONDS = 6.0  # a process that imports TensorFlow and compiles, on two cores
EVALUATE_SECONDS = 10.0
# Seconds of an epoch by what the model is made of, on two cores: IMDB with 500 words per review, MNIST.
_GUESSES = ((("gru", "lstm", "rnn", "bidirectional"), 60.0), (("conv",), 30.0))
_DENSE = 1.0
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True)
class Cost:
    """Seconds, and whether they were measured or guessed."""

    seconds: float
    measured: bool


def expected_cost(subject: Subject, archive: Archive) -> Cost:
    """What all of a subject would cost: by the epochs of the latest runs of that name, else by its model."""
    config = subject.config
    runs = 1 + (subject.after == "retrain")
    if config.kfold is not None:
        runs = config.kfold.n_splits * config.kfold.repeats
    known = _known_epoch(config, archive)
    per_epoch = known if known is not None else _guess(config)
    return Cost(runs * (START_SECONDS + config.training.epochs * per_epoch), known is not None)


def _known_epoch(config: Config, archive: Archive) -> float | None:
    for path, record in reversed(archive.records.items()):
        if record.get("name") == config.name and record.get("status") == COMPLETED:
            try:
                return float(RunDir(path).metrics()["seconds_per_epoch"])
            except (RunDirError, KeyError, TypeError):
                continue
    return None


def _guess(config: Config) -> float:
    text = " ".join(_words(config.model.model_dump() if config.model else {})).lower()
    return next((seconds for names, seconds in _GUESSES if any(name in text for name in names)), _DENSE)


def _words(value: Any) -> Iterable[str]:
    """Every text in the values of a config, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    elif isinstance(value, str):
        yield value


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `30m`, `2h`, `1h30m`. Raises ConfigError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ConfigError("--budget is not a duration", received=text, expected="a time such as 90s, 30m, 2h or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def duration(seconds: float) -> str:
    """Seconds for readers: `45 s`, `12 min`, `3.1 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
