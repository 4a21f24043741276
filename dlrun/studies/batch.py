"""Many configs from one command: planned into the queue, run by whoever works on it, read from the run directories."""

from __future__ import annotations

import glob
import hashlib
import json
import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dlrun.config.dumping import dump_config
from dlrun.config.finding import SUFFIXES, find_config, shipped_configs
from dlrun.config.identity import identity
from dlrun.config.loading import load_config
from dlrun.config.schema import Config, with_section
from dlrun.data_places import find_data
from dlrun.engine.signals import interrupted_by_signals
from dlrun.errors import ConfigError, Interrupted, JobError, Problem, RunDirError, UnknownNameError, did_you_mean
from dlrun.files import expand_home, make_folder, write_text
from dlrun.jobs.endings import BROKEN, DONE, WAITING
from dlrun.jobs.entries import Entry, Request
from dlrun.jobs.leases import Box, Needs, needs_of
from dlrun.jobs.queue import Queue
from dlrun.jobs.ray_engine import RayEngine
from dlrun.jobs.working import Look, Orders, work
from dlrun.run_dir import COMPLETED, RunDir
from dlrun.seeds import child_seed
from dlrun.studies._archive import Archive

_MOST_CONFIGS = 10_000


@dataclass(frozen=True)
class Planned:
    """A run of a batch: the config as the user means it, and as the run gets it, with its share of the threads."""

    source: str
    config: Config = field(repr=False)
    child: Config = field(repr=False)
    equal: RunDir | None = None

    @property
    def experiment(self) -> str:
        """Equal for runs that would be equal: by config, sizes of the data files, and versions."""
        files = {path.name: path.stat().st_size for path in find_data(self.config).found if path.is_file()}
        text = json.dumps([identity(self.config), files, Archive.versions()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def find_configs(texts: Iterable[str]) -> dict[str, Path]:
    """The configs behind files, folders, patterns, names of shipped configs and list files, by what names them.

    A list file has one of these in each line, relative to its own folder; `#` begins a comment.
    Raises UnknownNameError; ConfigError for too many, or a file that is neither.
    """
    found: dict[str, Path] = {}
    for text in texts:
        path = expand_home(text)
        if path.is_file() and path.suffix not in SUFFIXES:
            for line in _listed(path):
                found.update(_configs_of(line, path.parent))
        else:
            found.update(_configs_of(text, Path()))
    if len(found) > _MOST_CONFIGS:
        raise ConfigError(f"these are {len(found):,} configs", expected=f"at most {_MOST_CONFIGS:,}")
    return found


def _listed(path: Path) -> list[str]:
    """The lines of a list file."""
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is neither a config nor a list of configs: {error}") from error
    return [line for line in lines if line]


def _configs_of(text: str, folder: Path) -> dict[str, Path]:
    path = expand_home(text) if Path(text).is_absolute() or text.startswith("~") else folder / text
    if path.is_dir():
        inside = {str(file): file for file in sorted(path.iterdir()) if file.suffix in SUFFIXES}
        if not inside:
            raise UnknownNameError(f"there is no config in the folder {path}")
        return inside
    if path.is_file() or not glob.has_magic(text):
        return {str(path) if path.is_file() else text: path if path.is_file() else find_config(text)}
    files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    matching = {str(file): file for file in files if file.suffix in SUFFIXES and file.is_file()}
    matching = matching or {name: file for name, file in shipped_configs().items() if Path(name).match(text)}
    if not matching:
        raise UnknownNameError(f"no config matches {text!r}", hint=did_you_mean(text, shipped_configs()))
    return matching


def plan(
    texts: Iterable[str], overrides: Sequence[str], box: Box, *, seeds: int | None = None, jobs: int | None = None
) -> list[Planned]:
    """The runs of a batch: every config under the overrides, `seeds` times with seeds that follow from its own.

    The cores are divided among the runs at once (`runtime.threads`), so that each run can be repeated alone with the
    same bits. Which GPU a run gets is settled when it begins: `gpu:1` in a config means a GPU.
    Raises ConfigError with the problems of all configs.
    """
    loaded: dict[str, Config] = {}
    problems: list[Problem] = []
    for name, path in find_configs(texts).items():
        try:
            loaded[name] = load_config(path, overrides, to_train=True)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems=problems)
    configs = [(name, one) for name, config in loaded.items() for one in _seeded(config, seeds)]
    at_once = jobs or min(_together([config for _, config in configs], box), len(configs))
    return [Planned(name, config, _child(config, box.threads(at_once))) for name, config in configs]


def _together(configs: Sequence[Config], box: Box) -> int:
    """How many of these runs there may be at once. Raises ConfigError for one that needs more than there is."""
    several = [_needs(config) for config in configs]
    problems: list[Problem] = []
    for config, needs in zip(configs, several, strict=True):
        enough = box.never(needs)
        if enough is not None:
            key = ("needs", "gpus" if needs.gpus > 1 else "gpu_memory")
            error = ConfigError(f"{config.name} needs more than there is", key=key, expected=f"at most {enough}")
            problems += error.located(config.place).problems
    if problems:
        raise ConfigError(problems=list(dict.fromkeys(problems)))
    return box.together(several) if box.gpus and not box.limited and not box.pool else box.at_once


def _needs(config: Config) -> Needs:
    runtime, asked = config.runtime, config.needs
    device = runtime.device.partition(":")[0]
    if asked is None:
        return Needs(device, runtime.threads or 1)
    return Needs(device, runtime.threads or 1, gpu_memory=asked.gpu_mebibytes, gpus=asked.gpus)


def _seeded(config: Config, seeds: int | None) -> list[Config]:
    if seeds is None:
        return [config]
    return [config.model_copy(update={"seed": child_seed(config.seed, "repeat", index)}) for index in range(seeds)]


def _child(config: Config, threads: int) -> Config:
    device = "gpu" if config.runtime.device.startswith("gpu:") else config.runtime.device
    threads = config.runtime.threads or threads
    return with_section(config.model_copy(update={"expect": []}), "runtime", threads=threads, device=device)


def find_equal(planned: Sequence[Planned], outputs: Path) -> list[Planned]:
    """The same runs, each with a completed one under `outputs` that equals it, if there is one."""
    archive = Archive(outputs)
    return [Planned(one.source, one.config, one.child, _completed(one, archive)) for one in planned]


def _completed(planned: Planned, archive: Archive) -> RunDir | None:
    for config in (planned.config, planned.child):
        run = archive.run(config)
        if run is not None and run.status() == COMPLETED:
            return run
    return None


def enqueue(planned: Sequence[Planned], queue: Queue, *, rerun: bool = False) -> list[Entry]:
    """Put the runs into the queue; those with an equal completed run are left out, unless `rerun`."""
    requests = []
    for one in planned:
        if one.equal is not None and not rerun:
            continue
        run = f"{one.config.name}/{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        make_folder(queue.folder / one.config.name)
        write_text(queue.folder / f"{run}.yaml", dump_config(one.child))
        needs = _needs(one.child)
        backend = one.child.runtime.backend
        asked = needs.device, needs.threads, backend, needs.gpu_memory, needs.gpus
        requests.append(Request(one.config.name, run, one.experiment, *asked))
    entries = queue.add(requests, rerun=rerun)
    for request, entry in zip(requests, entries, strict=True):
        if entry.run != request.run:  # another entry stands for it
            (queue.folder / f"{request.run}.yaml").unlink(missing_ok=True)
    return entries


def run(queue: Queue, box: Box, wanted: Iterable[int] | None, max_failures: int | None, on_look: Look) -> list[Entry]:
    """Work on the queue until the wanted entries (None: all) have ended, and return them.

    Raises Interrupted; the runs have their checkpoints then, and wait in the queue. Raises JobError when one that waits
    would hold back all others for ever, since it needs more than there is.
    """
    for entry in queue.entries(states=[WAITING]):
        enough = box.never(needs_of(entry))
        if enough is not None and not entry.paused:
            message, hint = f"job {entry.number} needs more than there is", f"dlrun queue cancel {entry.number}"
            raise JobError(message, expected=f"at most {enough}", hint=hint)
    engine = RayEngine(box) if box.pool else None
    orders = Orders(None if wanted is None else set(wanted), max_failures, sys.platform == "linux", engine=engine)
    try:
        with interrupted_by_signals():
            return work(queue, box, orders, on_look)
    except KeyboardInterrupt as error:
        hint = "the same command goes on; so does `dlrun batch` without a config"
        raise Interrupted("stopped; the runs have their checkpoints", resumable=True, hint=hint) from error


def summarise(entries: Sequence[Entry], queue: Queue) -> list[dict[str, Any]]:
    """One row for each entry: what became of it, and of completed runs the monitored metric."""
    return [_row(entry, queue.job(entry).run_dir) for entry in entries]


def _row(entry: Entry, run_dir: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"job": entry.number, "name": entry.name, "run": str(run_dir), "state": entry.state}
    row |= {"failure": entry.failure, "message": entry.message} if entry.state == BROKEN else {}
    return row | (metrics_of(RunDir(run_dir)) if entry.state == DONE else {})


def metrics_of(run: RunDir) -> dict[str, Any]:
    """Best epoch, monitored metric and seconds of a completed run; empty when its files are damaged."""
    try:
        metrics = run.metrics()
    except RunDirError:
        return {}
    monitor = metrics["monitor"]
    return {
        "best_epoch": metrics["best_epoch"],
        "metric": monitor,
        "value": metrics["best"].get(monitor),
        "seconds": metrics["seconds"],
    }
