"""TensorBoard on runs: a folder that leads to their logs under readable names, and the server on it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from dlrun.analysis._differences import MISSING, OPEN, differing
from dlrun.analysis._entries import chosen_runs, read_entry
from dlrun.errors import ConfigError, RunDirError, UnknownNameError
from dlrun.run_dir import RunDir, list_runs
from dlrun.studies import _sweep_hparams
from dlrun.studies._study_dir import StudyDir, find_study

MOST_RUNS = 100  # without a name: the newest ones
PARTS = ("train", "validation")  # the folders of a run's logs, linked before they are there
_SHOWN = ("seed", "data", "model", "optimizer", "training")  # what the HParams page has of a single run


def runs_to_show(texts: Sequence[str], outputs: Path, *, every: bool = False) -> dict[str, RunDir]:
    """The runs that are meant by the names TensorBoard shows: `name/id`, of a study `id/run`. Without texts the newest
    ones that have logs; a study stands for its runs, and with `every` a name for all runs of that name.

    Raises UnknownNameError, RunDirError.
    """
    found: list[RunDir] = []
    for text in texts:
        study = None if every else _study(text, outputs)
        found += [RunDir(path.parent) for path in sorted(study.path.glob("*/run.json"))] if study else []
        found += [] if study else chosen_runs([text], outputs, every=every)
    if not texts:
        found = [run for run in list_runs(outputs) if run.tensorboard.is_dir()][-MOST_RUNS:]
    shown = {f"{run.path.parent.name}/{run.id}": run for run in found}
    if not any(run.tensorboard.is_dir() for run in shown.values()):
        hint = "training.tensorboard: true keeps logs; `dlrun runs` lists the runs"
        raise RunDirError(f"no logs for TensorBoard in {', '.join(texts) or outputs}", hint=hint)
    return shown


def _study(text: str, outputs: Path) -> StudyDir | None:
    """The study that is named by its path or its id, if it is one; a name alone means the latest run of that name."""
    if text == "-":
        return None
    try:
        study = find_study(text, outputs)
    except UnknownNameError:
        return None
    is_name = text == study.path.parent.name and not (Path(text) / "study.json").exists()
    return None if is_name and any(run.path.parent.name == text for run in list_runs(outputs)) else study


def link_logs(folder: Path, runs: Mapping[str, RunDir]) -> None:
    """Fill `folder` with a folder for each run: links to its logs, and its parameters for the HParams page."""
    values = _parameters(runs)
    for name, run in runs.items():
        place = folder / name
        place.mkdir(parents=True)
        for part in dict.fromkeys([*PARTS, *(path.name for path in run.tensorboard.glob("*"))]):
            (place / part).symlink_to(run.tensorboard / part)
    _sweep_hparams.write((folder / name, values[name]) for name in runs if values[name])


def _parameters(runs: Mapping[str, RunDir]) -> dict[str, dict[str, Any]]:
    """For each run the parameters in which they differ, for a single one all of its model and its training."""
    configs = {name: read_entry(run).config for name, run in runs.items()}
    if len(runs) > 1:
        found = differing(list(configs.values()))
        named = {name: {key: values[place] for key, values in found.items()} for place, name in enumerate(runs)}
    else:
        named = {name: dict(_flat({key: config.get(key) for key in _SHOWN})) for name, config in configs.items()}
    absent = (MISSING, OPEN, None)
    return {
        name: {key: value for key, value in one.items() if not any(value is none for none in absent)}
        for name, one in named.items()
    }


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def serve(folder: Path, *, host: str = "localhost", port: int | None = None) -> str:
    """Start TensorBoard on a folder, in a thread of this process, and return its address.

    Without a `port` it is 6006 or the next free one. Raises ConfigError when TensorBoard is not installed, or the port
    is taken.
    """
    if "tensorflow" not in sys.modules:  # no page needs it, and its import takes seconds
        sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
    try:
        from tensorboard import program
    except ImportError as error:
        raise ConfigError("TensorBoard is not installed", hint="pip install tensorboard") from error
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    server = program.TensorBoard()
    at = ["--host", host, "--port", "default" if port is None else str(port)]
    server.configure(["tensorboard", "--logdir", str(folder), "--load_fast", "false", *at])
    try:
        return str(server.launch())
    except program.TensorBoardServerException as error:
        raise ConfigError(f"TensorBoard cannot start: {error.msg}", hint="choose another --port") from error
