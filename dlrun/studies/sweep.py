"""A search for better values of a config's keys: each trial is an ordinary run, Optuna says what the next one tries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.config.metric_names import more_is_better
from dlrun.config.schema import Config, Kfold
from dlrun.engine.signals import interrupted_by_signals
from dlrun.errors import ConfigError, Interrupted, JobError
from dlrun.files import make_folder, typed, write_text
from dlrun.jobs.local import starter
from dlrun.run_dir import RUNNING
from dlrun.studies._study_dir import StudyDir

if TYPE_CHECKING:
    from dlrun.studies._sweep_search import Search
    from dlrun.studies._sweep_trials import Ended

VERB = "sweep"
HOPELESS = 3  # trials that fail, with none that did not
OnEnd = Callable[["Ended"], None]


@dataclass(frozen=True)
class Plan:
    """What a sweep does: its config, trials at once, threads of each, GPUs they share, the metric and its mode."""

    config: Config
    slots: int
    threads: int
    gpus: int
    monitor: str
    mode: str


def plan(config: Config, *, jobs: int | None, cores: int, gpus: int = 0) -> Plan:
    """How the trials share the machine: `jobs` at once, without it one per GPU, else one per core (or fewer where the
    config says how many threads each takes). Raises ConfigError for a config without the section `sweep`.
    """
    sweep = config.sweep
    if sweep is None:
        hint = "add `sweep: {space: {optimizer.learning_rate: {float: [1e-4, 1e-1], log: true}}}`"
        raise ConfigError(f"the config {config.name} has no section `sweep`", hint=hint)
    if sweep.objective == "kfold":
        config = config.model_copy(update={"kfold": config.kfold or Kfold()})  # type: ignore[call-arg]
    elif config.split.validation == 0 and config.split.kind != "given":
        key = ("split", "validation")
        raise ConfigError("trials are compared on validation rows, and split.validation is 0", key=key)
    wanted = jobs or (gpus if gpus else max(1, cores // (config.runtime.threads or 1)))
    slots = min(wanted, sweep.n_trials)
    threads = config.runtime.threads or max(1, cores // slots)
    monitor, mode = config.monitor.metric or "val_loss", config.monitor.mode
    if mode == "auto":
        mode = "max" if more_is_better(monitor) else "min"
    return Plan(config, slots, threads, gpus, monitor, mode)


def begin(plan: Plan, outputs: Path) -> StudyDir:
    """Claim a directory and write the plan into it. Raises RunDirError."""
    assert plan.config.sweep
    study = StudyDir.create(outputs, plan.config.name, VERB)
    make_folder(study.configs)
    write_text(study.config_file, dump_config(plan.config))
    shares = {"slots": plan.slots, "threads": plan.threads, "gpus": plan.gpus}
    aim = {"monitor": plan.monitor, "mode": plan.mode, "n_trials": plan.config.sweep.n_trials}
    study.start(verb=VERB, name=plan.config.name, plan={**shares, **aim})
    return study


@dataclass(frozen=True)
class Options:
    """How a sweep goes on: with another number of trials in all, or at once, than planned."""

    n_trials: int | None = None
    slots: int | None = None


def run(study: StudyDir, options: Options, *, command: list[str], on_end: OnEnd) -> dict[str, Any] | None:
    """Do what is missing of a sweep and return its summary, which is `summary.json`.

    Trials that have ended are kept, others go on from their checkpoints. Where another process is about it this one
    helps, and returns None: the other one sums up, or this one when that has died. `on_end` hears of the end of each
    trial of this process. Raises JobError when the first trials all fail, Interrupted with the command that goes on,
    ConfigError for another number of trials while the sweep is going on, DlrunError.
    """
    if study.busy():
        _help(study, options, on_end)
        if study.busy() or study.record()["status"] != RUNNING:
            return None
    with study.owned():
        planned = study.record()["plan"]
        planned |= {"n_trials": options.n_trials or planned["n_trials"], "slots": options.slots or planned["slots"]}
        with study.at_work("trials that ran have their checkpoints", command=command, plan=planned):
            search = _work(study, planned, on_end, to_the_end=True)
            return _sum_up(study, search, planned)


def _help(study: StudyDir, options: Options, on_end: OnEnd) -> None:
    """Do trials as long as there are any to begin with."""
    planned = study.record()["plan"]
    if options.n_trials not in (None, planned["n_trials"]):
        raise ConfigError(
            f"the sweep {study.id} is going on: its number of trials is set",
            received=f"--trials {options.n_trials}",
            expected=str(planned["n_trials"]),
            hint="ask for more when it has ended, or leave --trials out to help",
        )
    try:
        with interrupted_by_signals():
            _work(study, planned | {"slots": options.slots or planned["slots"]}, on_end, to_the_end=False)
    except KeyboardInterrupt as error:
        hint = f"help again, or go on when they have ended: dlrun {VERB} --resume {typed(study.path)}"
        raise Interrupted("stopped; the other processes of the sweep go on", resumable=True, hint=hint) from error


def _work(study: StudyDir, planned: dict[str, Any], on_end: OnEnd, *, to_the_end: bool) -> Search:
    from dlrun.studies._sweep_search import Search
    from dlrun.studies._sweep_trials import Watch, run_trials

    config = load_config(study.config_file)
    search, n_trials = Search(study.path, config, planned["mode"]), planned["n_trials"]
    missing = search.running() or len(search.trials()) < n_trials
    warm = missing and config.runtime.backend == "tensorflow" and not planned["gpus"]  # that worker sees no GPU
    watch = Watch(study, search, planned["monitor"], planned["threads"], planned["gpus"], to_the_end)
    with (
        closing(search),
        starter(warm) as start,
        closing(run_trials(watch, start, planned["slots"], n_trials)) as trials,
    ):
        for ended in trials:
            on_end(ended)
            _refuse_hopeless(study, search.trials(), ended, min(HOPELESS, n_trials))
    return search


def _sum_up(study: StudyDir, search: Search, planned: dict[str, Any]) -> dict[str, Any]:
    from dlrun.studies import _sweep_summary
    from dlrun.studies._sweep_trials import Watch, remove_weights

    remove_weights(Watch(study, search, planned["monitor"], planned["threads"], planned["gpus"]))  # after a kill
    return _sweep_summary.write(study, search, planned)


def _refuse_hopeless(study: StudyDir, trials: list[Any], ended: Ended, most: int) -> None:
    """Raise JobError when the first `most` trials all failed."""
    states = [trial.state.name for trial in trials if trial.state.is_finished()]
    if len(states) >= most and set(states) == {"FAIL"}:
        hint = f"put it right and go on: dlrun sweep --resume {typed(study.path)}"
        raise JobError(f"the first {len(states)} trials failed, the last one: {ended.failure}", hint=hint)
