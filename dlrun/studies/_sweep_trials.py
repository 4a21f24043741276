"""The trials of a sweep: each an ordinary run (or one per fold), watched while it goes on, stopped if it is no good."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import Trial

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.config.schema import Config, with_section
from dlrun.errors import ConfigError, RunDirError
from dlrun.files import first_line, write_text
from dlrun.jobs.job import Job
from dlrun.jobs.local import JobResult, Process, stop_all
from dlrun.keeping import BOTH, NONE, keep_only
from dlrun.run_dir import COMPLETED, FAILED, PRUNED, RunDir
from dlrun.studies import kfold
from dlrun.studies._study_dir import StudyDir
from dlrun.studies._summary import read_fold, summarise
from dlrun.studies._sweep_search import Search
from dlrun.studies._sweep_space import settings

POLL_SECONDS = 0.05
CLAIM_SECONDS = 1.0  # between two looks for a trial to do when there was none
MOST_RESTARTS = 2  # of a run whose process was killed
Start = Callable[[Job], Process]


@dataclass(frozen=True)
class Watch:
    """What trials share: the study, Optuna's side of it, the metric, threads of each run, the number of GPUs.

    `to_the_end` waits for trials of other processes, too, and takes over those of one that dies.
    """

    study: StudyDir
    search: Search
    monitor: str
    threads: int
    gpus: int
    to_the_end: bool = True
    thinned: set[int] = field(default_factory=set)  # trials whose weights were removed


@dataclass
class Live:
    """A trial that goes on: its runs one after the other, those from `at` on not yet done."""

    trial: Trial
    values: dict[str, Any]
    slot: int
    jobs: list[Job] = field(default_factory=list)
    at: int = 0
    process: Process | None = None
    told: int = 0
    seen: int = 0  # modification time of the history that was read last
    pruned_at: int | None = None
    restarts: int = 0

    @property
    def job(self) -> Job:
        return self.jobs[self.at]

    @property
    def name(self) -> str:
        return trial_name(self.trial.number)


@dataclass(frozen=True)
class Ended:
    """How a trial ended: its value, the epoch (or fold) at which it was pruned, or why it failed."""

    number: int
    values: dict[str, Any]
    value: float | None = None
    pruned_at: int | None = None
    failure: str = ""


def trial_name(number: int) -> str:
    """The name of a trial's config and run."""
    return f"trial-{number:03d}"


def run_trials(watch: Watch, start: Start, slots: int, n_trials: int) -> Generator[Ended, None, None]:
    """Do what is missing of `n_trials` trials, `slots` at a time, and yield each that ends. Others may do some, too."""
    live: list[Live] = []
    next_claim = 0.0
    try:
        while True:
            while len(live) < slots and time.monotonic() >= next_claim:
                trial = watch.search.claim(n_trials, {one.trial.number for one in live})
                if trial is None:
                    next_claim = time.monotonic() + CLAIM_SECONDS
                    break
                slot = min(set(range(slots)) - {one.slot for one in live})
                one, ended = _begin(watch, trial, slot)
                if ended:
                    yield ended
                else:
                    live.append(one)
            if not live and not (watch.to_the_end and watch.search.running()):
                return
            for one in [*live]:
                if ended := _advance(watch, one, start):
                    live.remove(one)
                    remove_weights(watch)
                    yield ended
            time.sleep(POLL_SECONDS)
    finally:
        stop_all([one.process for one in live if one.process is not None])


def _begin(watch: Watch, trial: Trial, slot: int) -> tuple[Live, Ended | None]:
    """Write the configs of a trial; one whose values do not go together ends here."""
    one = Live(trial, watch.search.values(trial), slot, told=watch.search.told(trial))
    try:
        names = _write_configs(watch, one)
    except ConfigError as error:
        return one, _fail(watch, one, first_line(error))
    one.jobs = [Job(watch.study.config_of(name), watch.study.run(name).path) for name in names]
    if one.told and not one.job.done and watch.search.sweep.objective == "holdout":  # was it about to be pruned?
        stop = one.job.status() == PRUNED or watch.search.should_stop(trial)
        one.pruned_at = one.told if stop else None
    return one, None


def _write_configs(watch: Watch, one: Live) -> list[str]:
    """The names of the trial's runs. A config that is there stays, for its run may have begun with it."""
    study, by_fold = watch.study, watch.search.sweep.objective == "kfold"
    base = study.config_of(one.name)
    if not base.exists():
        write_text(base, dump_config(_config(watch, one, by_fold=by_fold)))
    if not by_fold:
        return [one.name]
    folds = kfold.plan(load_config(base), jobs=1, cores=watch.threads).folds
    for name, config in folds.items():
        write_text(study.config_of(f"{one.name}-{name}"), dump_config(config))
    return [f"{one.name}-{name}" for name in folds]


def _config(watch: Watch, one: Live, *, by_fold: bool) -> Config:
    """The config of the study with the values of a trial. Seed and split are those of the study, so that trials differ
    by their values alone.
    """
    config = load_config(watch.study.config_file, ["~sweep", *settings(one.values)], to_train=True)
    config = config.model_copy(update={"expect": [], "small": {}, **({} if by_fold else {"kfold": None})})
    device = f"gpu:{one.slot}" if watch.gpus > 1 else config.runtime.device
    config = with_section(config, "runtime", threads=config.runtime.threads or watch.threads, device=device)
    # History and checkpoints are written as often as they may, so that pruning sees fast epochs, too.
    return with_section(config, "training", checkpoint_every_seconds=0.0, keep=config.training.keep or BOTH)


def remove_weights(watch: Watch) -> None:
    """Remove the weights of all trials that have ended but the best one's, unless the config says which it keeps."""
    if watch.search.config.training.keep is not None:
        return
    best = watch.search.best()
    for number in set(watch.search.ended()) - watch.thinned - {best}:
        for file in watch.study.path.glob(f"{trial_name(number)}*/run.json"):
            keep_only(RunDir(file.parent), NONE, "of the trials of a sweep the best one keeps its weights")
        watch.thinned.add(number)


def _advance(watch: Watch, one: Live, start: Start) -> Ended | None:
    """Look after a trial: start what is next, report what is new, stop it when the pruner says so."""
    if one.process is None and one.job.elsewhere:
        return None  # a process goes on that outlived the one that started it
    running = one.process is not None and one.process.poll() is None
    status = None if running else one.job.status()
    _report(watch, one, completed=status == COMPLETED)
    if running:
        return None
    if one.process is None and not one.job.done and one.pruned_at is None:
        one.process = start(one.job)
        return None
    result = JobResult(one.job, status, one.process.returncode if one.process else None)
    one.process = None
    if status == COMPLETED:
        one.pruned_at = None
        return _completed(watch, one)
    if one.pruned_at is not None and status != FAILED:
        return _pruned(watch, one)
    code = result.exit_code
    killed = status != FAILED and code is not None and (code < 0 or code in (75, 130))
    if killed and one.restarts < MOST_RESTARTS:
        one.restarts += 1
        return None
    return _fail(watch, one, kfold.why_failed(result))


def _report(watch: Watch, one: Live, *, completed: bool) -> None:
    """Tell Optuna of new epochs, and ask the run to stop where they promise nothing."""
    if watch.search.sweep.objective == "kfold" or one.pruned_at is not None:
        return
    run = RunDir(one.job.run_dir)
    try:
        changed = run.history_file.stat().st_mtime_ns
        if changed == one.seen and not completed:
            return
        rows, one.seen = run.history(), changed
    except (OSError, RunDirError):
        return  # no epoch yet, or it is being written
    for epoch in range(one.told + 1, len(rows) + 1):
        if (value := rows[epoch - 1].get(watch.monitor)) is None:
            return
        watch.search.report(one.trial, epoch, value)
        stop = not completed and watch.search.should_stop(one.trial)
        one.told = epoch
        if stop:
            one.pruned_at = epoch
            if one.process is not None:
                one.process.terminate()
            return


def _completed(watch: Watch, one: Live) -> Ended | None:
    """The trial's value, or its next fold."""
    if watch.search.sweep.objective == "holdout":
        metrics = RunDir(one.job.run_dir).metrics()
        return _end(watch, one, metrics["best"].get(metrics["monitor"]))
    folds = [read_fold(RunDir(job.run_dir)) for job in one.jobs[: one.at + 1]]
    so_far = [fold.metrics["best"][watch.monitor] for fold in folds]
    one.at += 1
    watch.search.report(one.trial, one.at, sum(so_far) / len(so_far))
    if one.at == len(one.jobs):
        summary = summarise(load_config(watch.study.config_of(one.name)), folds)
        return _end(watch, one, summary["best"][watch.monitor]["mean"])
    if watch.search.should_stop(one.trial):
        one.pruned_at = one.at
        return _pruned(watch, one)
    return None


def _end(watch: Watch, one: Live, value: float | None) -> Ended:
    if value is None or value != value:
        return _fail(watch, one, f"{watch.monitor} is no number")
    watch.search.end(one.trial, value)
    return Ended(one.trial.number, one.values, value)


def _pruned(watch: Watch, one: Live) -> Ended:
    """Mark the trial in its run and in the study; the run's mark comes first, since it can be set twice."""
    if watch.search.sweep.objective == "holdout":
        marks = {"epoch": one.pruned_at, "pruner": watch.search.sweep.pruner, "study": watch.study.id}
        RunDir(one.job.run_dir).update(status=PRUNED, pruned=marks)
    watch.search.end(one.trial, pruned=True)
    return Ended(one.trial.number, one.values, pruned_at=one.pruned_at)


def _fail(watch: Watch, one: Live, message: str) -> Ended:
    one.trial.set_user_attr("failure", message)
    watch.search.end(one.trial)
    return Ended(one.trial.number, one.values, failure=message)
