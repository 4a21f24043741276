"""Several runs as one model: their predictions combined (DLwP 7.3.3). Validation chooses, test is read once."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dlrun.config.loading import load_config
from dlrun.data._saved import load_preprocessing
from dlrun.engine.scoring import score
from dlrun.ensemble._combining import Combine, combine, correlation, disagreement, faults, loss
from dlrun.ensemble._members import Member, Part, check_members, parts, predict_files, predict_part
from dlrun.ensemble._weights import parse_weights, search
from dlrun.errors import ConfigError, DataError, RunDirError
from dlrun.evaluate import count_reading
from dlrun.files import make_folder, write_json
from dlrun.predict import Predictions, write_predictions
from dlrun.records import FORMAT, read_json
from dlrun.run_dir import RunDir
from dlrun.spec import Task

__all__ = ["FILE", "FOLDER", "Ensemble", "Member", "evaluate_ensemble", "make_ensemble", "open_ensemble", "predict_raw"]

FOLDER, FILE = "ensembles", "ensemble.json"


@dataclass(frozen=True)
class Row:
    """A member, or the ensemble: metrics with their intervals, in original units, and its loss (crossentropy of
    probabilities, or mean squared error).
    """

    name: str
    weight: float | None
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    loss: float


@dataclass(frozen=True)
class Pair:
    """How alike two members are: the correlation of their errors, and the share of labels they predict differently."""

    first: str
    second: str
    correlation: float | None
    disagreement: float | None


@dataclass(frozen=True)
class TaskScores:
    """One task on the rows of a part."""

    rows: int
    members: list[Row]
    ensemble: Row
    pairs: list[Pair]


@dataclass(frozen=True)
class Ensemble:
    """Members, how they are combined, and their weights by task. `validation` is empty without a validation part."""

    folder: Path
    members: list[Member]
    combine: Combine
    method: str
    seed: int
    weights: dict[str, list[float]]
    created: str
    validation: dict[str, TaskScores] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON values, those of `ensemble.json`."""
        return {
            "format": FORMAT,
            "created": self.created,
            "members": [
                {"run": one.run.id, "name": one.config.name, "path": os.path.relpath(one.run.path, self.folder)}
                for one in self.members
            ],
            "combine": self.combine,
            "method": self.method,
            "seed": self.seed,
            "weights": self.weights,
            "data": self.members[0].run.record().get("data"),
            "validation": {name: asdict(scores) for name, scores in self.validation.items()},
            "notes": self.notes,
        }


def make_ensemble(
    runs: Sequence[RunDir], outputs: Path, *, weights: str = "equal", how: str = "mean", seed: int = 0
) -> Ensemble:
    """Combine finished runs, choose the weights on their validation part, and write a directory for it.

    `weights` are `equal`, numbers (`0.5,0.3,0.2`), or searched: `nelder-mead`, `random`. Raises DlrunError.
    """
    if how not in get_args(Combine):
        raise ConfigError("--combine is not understood", received=how, expected=", ".join(get_args(Combine)))
    members = [Member(run, load_config(run.config_file)) for run in runs]
    notes = check_members(members)
    given = parse_weights(weights, len(members))
    if "validation" in parts(members):
        part = predict_part(members, "validation")
    elif given is None:
        raise DataError("there is no validation part to search weights on", hint="give them: --weights 0.7,0.3")
    else:
        notes.append("the runs have no validation part, so nothing is scored before --evaluate")
        part = None
    tasks = part.tasks if part else _tasks(members)
    _check_combination(tasks, how)
    chosen = {name: given if given is not None else _searched(part, name, how, weights, seed) for name in tasks}
    scores = _scores(part, members, chosen, how) if part else {}
    notes += _remarks(scores, searched=given is None)
    made = Ensemble(
        folder=_claim(outputs),
        members=members,
        combine=how,  # type: ignore[arg-type]
        method=weights if given is None or weights == "equal" else "given",
        seed=seed,
        weights={name: found.tolist() for name, found in chosen.items()},
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        validation=scores,
        notes=notes,
    )
    write_json(made.folder / FILE, made.as_dict())
    return made


def open_ensemble(folder: Path) -> Ensemble:
    """The ensemble that `make_ensemble` wrote. Raises RunDirError, also when a member is gone."""
    found = read_json(folder / FILE)
    try:
        paths = [(folder / entry["path"]).resolve() for entry in found["members"]]
        weights = {str(name): [float(weight) for weight in own] for name, own in found["weights"].items()}
        scores = {str(name): _restored(own) for name, own in found["validation"].items()}
        combined = found["combine"]
        settings = (combined, str(found["method"]), int(found["seed"]), weights, str(found["created"]), scores)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunDirError(f"{folder / FILE} is damaged: {type(error).__name__}: {error}") from error
    if combined not in get_args(Combine) or any(len(own) != len(paths) for own in weights.values()):
        raise RunDirError(f"{folder / FILE} is damaged: its weights are not those of its members")
    for path in paths:
        if not (path / "run.json").exists():
            raise RunDirError(f"a member of the ensemble {folder.name} is gone: {path}")
    members = [Member(RunDir(path), load_config(path / "config.yaml")) for path in paths]
    check_members(members)
    return Ensemble(folder, members, *settings, found.get("notes") or [])


def _restored(scores: dict[str, Any]) -> TaskScores:
    rows, pairs = [Row(**row) for row in scores["members"]], [Pair(**pair) for pair in scores["pairs"]]
    return TaskScores(scores["rows"], rows, Row(**scores["ensemble"]), pairs)


def evaluate_ensemble(ensemble: Ensemble) -> dict[str, TaskScores]:
    """Score members and ensemble on the test part: a reading of it, which is recorded in every member.

    Raises DlrunError.
    """
    if "test" not in parts(ensemble.members):
        raise DataError("the runs have no test part", hint="split.test in the config makes one")
    part = predict_part(ensemble.members, "test")
    chosen = {name: np.array(weights) for name, weights in ensemble.weights.items()}
    scores = _scores(part, ensemble.members, chosen, ensemble.combine)
    number = len(list(ensemble.folder.glob("test-*.json"))) + 1
    file = ensemble.folder / f"test-{number:03d}.json"
    readings = {
        member.run.id: count_reading(member.run, member.run.model_file("best"), os.path.relpath(file, member.run.path))
        for member in ensemble.members
    }
    values = {name: asdict(found) for name, found in scores.items()}
    write_json(file, {"format": FORMAT, "split": "test", "test": values, "readings": readings})
    return scores


def predict_raw(ensemble: Ensemble, sources: Sequence[str]) -> Predictions:
    """Predict the raw rows of files, which each member prepares as it was trained; written as a CSV, too.

    Raises DlrunError.
    """
    stacks, texts = predict_files(ensemble.members, sources)
    tasks = _tasks(ensemble.members)
    outputs = {
        name: combine(stack, np.array(ensemble.weights[name]), ensemble.combine, tasks[name])
        for name, stack in stacks.items()
    }
    return write_predictions(make_folder(ensemble.folder / "predictions"), outputs, tasks, texts)


def _tasks(members: Sequence[Member]) -> dict[str, Task]:
    return load_preprocessing(members[0].run.preprocess).spec.tasks


def _check_combination(tasks: dict[str, Task], how: str) -> None:
    numbers = [name for name, task in tasks.items() if not task.classifies]
    if how != "mean" and numbers:
        hint = "use --combine mean: other averages of numbers depend on their unit"
        raise ConfigError(f"--combine {how} is for probabilities, and {numbers[0]} is a number", hint=hint)


def _searched(part: Part | None, name: str, how: Any, method: str, seed: int) -> np.ndarray:
    assert part is not None, "refused before"
    stack, targets, task = part.outputs[name], part.targets[name], part.tasks[name]

    def judge(weights: np.ndarray) -> tuple[float, float]:
        found = combine(stack, weights, how, task)
        return float(faults(found, targets, task).mean()), loss(found, targets, task)

    return search(method, len(stack), judge, seed).weights


def _scores(part: Part, members: Sequence[Member], chosen: dict[str, np.ndarray], how: Any) -> dict[str, TaskScores]:
    found, names, seed = {}, [member.run.id for member in members], members[0].config.seed
    for name, task in part.tasks.items():
        stack, targets, weights = part.outputs[name], part.targets[name], chosen[name]

        def row(
            label: str, weight: float | None, outputs: np.ndarray, targets: Any = targets, task: Task = task
        ) -> Row:
            scored = score(outputs, targets, task, seed)
            return Row(label, weight, scored.values, scored.intervals, loss(outputs, targets, task))

        rows = [row(*one) for one in zip(names, weights.tolist(), stack, strict=True)]
        together = row("ensemble", None, combine(stack, weights, how, task))
        wrong = [faults(outputs, targets, task) for outputs in stack]
        pairs = [
            Pair(names[a], names[b], correlation(wrong[a], wrong[b]), disagreement(stack[a], stack[b], task))
            for a, b in itertools.combinations(range(len(stack)), 2)
        ]
        found[name] = TaskScores(len(part.rows), rows, together, pairs)
    return found


def _remarks(scores: dict[str, TaskScores], *, searched: bool) -> list[str]:
    """What the validation scores are worth, and an ensemble that is worse than one of its members."""
    notes = []
    if searched and scores:
        rows = next(iter(scores.values())).rows
        notes.append(f"the weights were chosen on these {rows:,} validation rows, so their score is a little too good")
    for name, found in scores.items():
        best = min(found.members, key=lambda one: one.loss)
        if best.loss < found.ensemble.loss:
            which = f"{name}: " if len(scores) > 1 else ""
            hint = "" if searched else "; --weights nelder-mead looks for better weights"
            notes.append(f"{which}{best.name} alone has a lower loss ({best.loss:.4g}) than the ensemble{hint}")
    return notes


def _claim(outputs: Path) -> Path:
    folder = outputs / FOLDER / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    return make_folder(folder).absolute()
