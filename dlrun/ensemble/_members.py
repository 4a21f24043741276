"""The runs that make up an ensemble, and what they predict for the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.config.schema import Config
from dlrun.data._dataset import Dataset, Prepared
from dlrun.data._fingerprint import same_data
from dlrun.data._saved import Saved, load_preprocessing
from dlrun.engine.feeding import Feeder
from dlrun.engine.model_files import load_predictor
from dlrun.engine.resolve import load_data, open_session, read_data
from dlrun.engine.scoring import BATCH_SIZE, in_units_of_targets, predict_rows
from dlrun.errors import ConfigError, DataError
from dlrun.predict import raw_rows
from dlrun.run_dir import COMPLETED, RunDir
from dlrun.spec import Task


@dataclass(frozen=True)
class Member:
    """One run with its config."""

    run: RunDir
    config: Config


@dataclass(frozen=True)
class Part:
    """What all members say of the rows of a part: predictions `(members, rows, units)` and targets by task."""

    rows: np.ndarray
    tasks: dict[str, Task]
    outputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]


def check_members(members: Sequence[Member]) -> list[str]:
    """Refuse runs that cannot be one ensemble, as far as their records tell; notes on those that can.

    Raises ConfigError.
    """
    if len(members) < 2:
        raise ConfigError("an ensemble needs two runs or more", received=", ".join(m.run.id for m in members))
    names = [member.run.id for member in members]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ConfigError(f"the run {repeated[0]} is named twice", hint="equal members change nothing")
    first, notes = members[0], []
    marks = [_fingerprint(member) for member in members]
    for member, mark in zip(members[1:], marks[1:], strict=True):
        if mark.get("split") != marks[0].get("split"):
            raise _different(first, member)
        if member.config.runtime.backend != first.config.runtime.backend:
            raise ConfigError("the runs have different backends, and a process has one")
        if mark.get("content") != marks[0].get("content"):
            notes.append(f"{first.run.id} and {member.run.id} read different inputs; their rows and targets are equal")
    unfinished = [member.run for member in members if member.run.status() != COMPLETED]
    return [*notes, *(f"the run {run.id} is {run.status()}; its model so far is used" for run in unfinished)]


def _fingerprint(member: Member) -> dict[str, Any]:
    found = member.run.record().get("data")
    if not isinstance(found, dict):
        raise ConfigError(f"the run {member.run.id} does not say what data it had", hint="it ended before that")
    return found


def _different(first: Member, second: Member) -> ConfigError:
    """What differs between two runs whose parts have other rows."""
    tables = [_about_rows(member) for member in (first, second)]
    keys = [key for key in tables[0] if tables[0][key] != tables[1].get(key)]
    lines = [
        f"{member.run.id}: " + (", ".join(f"{key} {table[key]}" for key in keys) or "other rows")
        for member, table in zip((first, second), tables, strict=True)
    ]
    return ConfigError(
        "the runs have other rows in their parts, so their predictions are not of the same",
        received="\n".join(lines),
        expected="the same data and the same split",
        hint="runs with different seeds need the same split: -s split.seed=1",
    )


def _about_rows(member: Member) -> dict[str, Any]:
    config, found = member.config, _fingerprint(member)
    split = {f"split.{key}": value for key, value in config.split.model_dump().items()}
    rows = " + ".join(f"{count:,} {name}" for name, count in (found.get("rows") or {}).items())
    return {"data": config.data.name, "data.sample": config.data.sample, "rows": rows, "seed": config.seed, **split}


def parts(members: Sequence[Member]) -> set[str]:
    """The parts that all members have rows in."""
    return set.intersection(*(set(_fingerprint(member).get("rows") or {}) for member in members))


def predict_part(members: Sequence[Member], part: str) -> Part:
    """The predictions of all members for the rows of a part, in original units.

    Raises DataError when the data has changed since, or targets differ.
    """
    found: list[dict[str, np.ndarray]] = []
    known: Part | None = None
    for member, data, saved in _each_data(members):
        own = Part(data.splits[part], data.spec.tasks, {}, _targets(data, part))
        if known is not None:
            _check_same(known, own, members[0], member)
        known = known or own
        model = load_predictor(member.run.model_file("best"))
        outputs = predict_rows(model, Feeder.of(data), own.rows, BATCH_SIZE, own.tasks)
        found.append(_readable(outputs, saved, member.config))
    assert known is not None, "an ensemble has members"
    stacks = {name: np.stack([outputs[name] for outputs in found]) for name in known.tasks}
    return Part(known.rows, known.tasks, stacks, known.targets)


def predict_files(members: Sequence[Member], sources: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The predictions `(members, rows, units)` of all members for raw rows, by task; and what each row is."""
    if "-" in sources:
        raise ConfigError("an ensemble reads its inputs once for each member, and standard input ends", received="-")
    found: list[dict[str, np.ndarray]] = []
    texts: list[str] = []
    for member in members:
        with open_session(member.config):
            saved = load_preprocessing(member.run.preprocess)
            feeder, rows, texts = raw_rows(saved, sources, None)
            model = load_predictor(member.run.model_file("best"))
            outputs = predict_rows(model, feeder, rows, BATCH_SIZE, saved.spec.tasks)
            found.append(_readable(outputs, saved, member.config))
    counts = {len(next(iter(outputs.values()))) for outputs in found}
    if len(counts) > 1:
        raise DataError(f"the members read {' and '.join(map(str, sorted(counts)))} rows from the same files")
    return {name: np.stack([outputs[name] for outputs in found]) for name in found[0]}, texts


def _each_data(members: Sequence[Member]) -> Iterator[tuple[Member, Prepared, Saved]]:
    """Each member with its data, inside its session; equal data is read once."""
    read: tuple[Any, Dataset] | None = None
    for member in members:
        with open_session(member.config):
            section = member.config.data.model_dump()
            if read is None or read[0] != section:
                read = (section, read_data(member.config))
            saved = load_preprocessing(member.run.preprocess)
            data = load_data(member.config, saved, dataset=read[1])
            if not same_data(data.fingerprint, _fingerprint(member)):
                raise DataError(f"the data has changed since {member.run.id} was trained", hint="train it again")
            yield member, data, saved


def _targets(data: Prepared, part: str) -> dict[str, np.ndarray]:
    return {name: targets[data.splits[part]] for name, targets in data.original_targets.items()}


def _check_same(known: Part, own: Part, first: Member, member: Member) -> None:
    """Raise ConfigError when two members have other tasks or targets for the same numbers of rows."""
    for name in dict.fromkeys([*known.tasks, *own.tasks]):
        if known.tasks.get(name) != own.tasks.get(name):
            raise ConfigError(f"{first.run.id} and {member.run.id} have different tasks, see {name!r}")
        if not np.array_equal(known.targets[name], own.targets[name]):
            raise ConfigError(
                f"the rows of {first.run.id} and {member.run.id} have different targets ({name})",
                expected="runs on the same rows",
            )


def _readable(outputs: Mapping[str, np.ndarray], saved: Saved, config: Config) -> dict[str, np.ndarray]:
    """Probabilities, or numbers in original units, float64 so that sums of weights are exact enough."""
    losses = {name: config.output(name).loss for name in saved.spec.tasks}
    found = in_units_of_targets(outputs, saved.spec, saved.target_scales, losses)
    return {name: values.astype("float64") for name, values in found.items()}
