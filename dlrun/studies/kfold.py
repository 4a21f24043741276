"""K-fold cross-validation (DLwP 3.6.4, 4.2.1): each fold is an ordinary run, what they say together is the study."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.config.schema import Config, Fold, Kfold, with_section
from dlrun.errors import JobError, listing
from dlrun.files import make_folder, typed, write_json, write_text
from dlrun.jobs.job import Job
from dlrun.jobs.local import JobResult, Start, run_jobs, starter
from dlrun.jobs.warm import WarmWorker
from dlrun.keeping import ALL, BOTH, keep_only
from dlrun.run_dir import COMPLETED, FAILED, INTERRUPTED, RunDir
from dlrun.studies import _final, _out_of_fold, _pictures
from dlrun.studies._study_dir import StudyDir, list_studies, write_table
from dlrun.studies._summary import curve_rows, read_fold, summarise

_PLACE = re.compile(r"^\S+\.yaml:\d+:\d+: ")  # in the config of a fold, which the user has not written

OnEnd = Callable[[RunDir, JobResult], None]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The folds of a study by the names of their runs, how many run at once, and how many GPUs they may share."""

    config: Config
    folds: dict[str, Config]
    slots: int
    gpus: int


def plan(config: Config, *, jobs: int | None, cores: int, gpus: int = 0) -> Plan:
    """The folds as configs: `split.fold` says which rows validate, `runtime.threads` shares the cores among those that
    run at once, so that each fold repeated alone gives the same bits.

    `jobs` is how many the user wants at once. Without: one per GPU, else one per core, or fewer where the config says
    how many threads each takes.
    """
    kfold = config.kfold or Kfold()  # type: ignore[call-arg]
    wanted = jobs or (gpus if gpus else max(1, cores // (config.runtime.threads or 1)))
    slots = min(wanted, kfold.n_splits * kfold.repeats)
    threads = config.runtime.threads or max(1, cores // slots)
    split = config.split.model_copy(update={"kind": kfold.kind or config.split.kind})
    base = config.model_copy(update={"kfold": None, "expect": [], "split": split})
    base = with_section(base, "runtime", threads=threads)
    keep = ALL if config.training.keep == ALL else BOTH  # the models predict the held-out rows
    base = with_section(base, "training", keep=keep)
    folds: dict[str, Config] = {}
    for repeat in range(kfold.repeats):
        for index in range(kfold.n_splits):
            name = f"fold-{index}" if kfold.repeats == 1 else f"repeat-{repeat}-fold-{index}"
            fold = Fold(index=index, n_splits=kfold.n_splits, repeat=repeat)
            device = f"gpu:{len(folds) % gpus}" if gpus > 1 else config.runtime.device
            folds[name] = with_section(with_section(base, "split", fold=fold), "runtime", device=device)
    return Plan(config.model_copy(update={"kfold": kfold}), folds, slots, gpus)


def begin(plan: Plan, outputs: Path) -> StudyDir:
    """Claim a directory and write the plan into it. Raises RunDirError."""
    study = StudyDir.create(outputs, plan.config.name, "kfold")
    make_folder(study.configs)
    write_text(study.config_file, dump_config(plan.config))
    for name, config in plan.folds.items():
        write_text(study.config_of(name), dump_config(config))
    study.start(
        verb="kfold", name=plan.config.name, plan={"folds": list(plan.folds), "slots": plan.slots, "gpus": plan.gpus}
    )
    return study


def unfinished(plan: Plan, outputs: Path) -> StudyDir | None:
    """The latest study of the same config under `outputs`, if it was interrupted or failed."""
    wanted = dump_config(plan.config)
    for study in reversed(list_studies(outputs)):
        same = study.config_file.exists() and study.config_file.read_text(encoding="utf-8") == wanted
        if same and study.path.parent.name == plan.config.name and study.id.endswith("-kfold"):
            return study if study.status() in (INTERRUPTED, FAILED) else None
    return None


@dataclass(frozen=True)
class Options:
    """How a study goes on: `weights` (best or last; None: as before, else last) of each fold predict its held-out rows,
    `final` asks for the final model, `slots` for another number of folds at once than planned.
    """

    weights: str | None = None
    final: bool = False
    final_batch_size: int | None = None
    slots: int | None = None


def run(
    study: StudyDir,
    options: Options,
    *,
    command: list[str],
    on_end: OnEnd,
    tell: Tell,
    worker: WarmWorker | None = None,
) -> dict[str, Any]:
    """Do what is missing of a study and return its summary, which is `summary.json`.

    Completed folds are kept, interrupted ones go on, failed ones are tried again. `on_end` hears of each fold's end.
    `worker` may be one that was started ahead.
    Raises JobError that names the folds that failed, Interrupted with the command that goes on, DlrunError.
    """
    with study.owned(), study.at_work("the folds have their checkpoints", command=command):
        return _work(study, options, on_end, tell, worker)


def _work(study: StudyDir, options: Options, on_end: OnEnd, tell: Tell, worker: WarmWorker | None) -> dict[str, Any]:
    planned = study.record()["plan"]
    config = load_config(study.config_file)
    jobs = [Job(study.config_of(name), study.run(name).path, again=True) for name in planned["folds"]]
    missing = any(not job.done for job in jobs)
    warm = missing and config.runtime.backend == "tensorflow" and not planned["gpus"]  # the warm worker sees no GPU
    summed_up = False
    with starter(warm, worker=worker) as start:
        _train_folds(study, jobs, options.slots or planned["slots"], start, on_end)
        if warm:
            (result,) = run_jobs([_SummingUp(study, options.weights)], start=start)
            summed_up = result.exit_code == 0
    summary = study.summary() if summed_up else sum_up(study, options.weights)
    if options.final:
        epochs = summary["recommended_epochs"]
        summary["final"] = _final.train_and_read(study, config, epochs, options.final_batch_size, tell)
        write_json(study.summary_file, summary)
    return summary


def _train_folds(study: StudyDir, jobs: Sequence[Job], slots: int, start: Start, on_end: OnEnd) -> None:
    """Run the folds that are not completed. Raises JobError naming those that failed."""
    results = run_jobs(jobs, slots, start=start, on_end=lambda result: on_end(RunDir(result.job.run_dir), result))
    failed = {result.job.run_dir.name: why_failed(result) for result in results if result.status != COMPLETED}
    if failed:
        message = f"{len(failed)} of {len(jobs)} folds failed: {listing(failed)}"
        if len(failed) > 1 and len(set(failed.values())) == 1:
            message += f"\n{next(iter(failed.values()))}"
        else:
            message += "".join(f"\n{name}: {reason}" for name, reason in failed.items())
        hint = f"completed folds are kept; try the others again: dlrun kfold --resume {typed(study.path)}"
        raise JobError(message, hint=hint)


@dataclass(frozen=True)
class _SummingUp:
    """`sum_up` as a job, for a child of the worker has imported already all that it needs.

    Where it fails, the study does it itself and so meets the same error.
    """

    study: StudyDir
    weights: str | None
    done: bool = False
    elsewhere: bool = False

    @property
    def command(self) -> list[str]:
        weights = ["--weights", self.weights] if self.weights else []
        return ["kfold", "--sum-up", str(self.study.path), *weights]

    @property
    def run_dir(self) -> Path:
        return self.study.summary_file.with_suffix("")

    def status(self) -> None:
        return None


def sum_up(study: StudyDir, weights: str | None) -> dict[str, Any]:
    """What the completed folds say together: curve, pictures, predictions and `summary.json`, which is returned.

    Predictions with the same `weights` (as in `Options`) are not made again. Raises DlrunError.
    """
    names = study.record()["plan"]["folds"]
    config = load_config(study.config_file)
    before = study.summary() if study.summary_file.exists() else {}
    folds = [read_fold(study.run(name)) for name in names]
    summary = summarise(config, folds) | {"out_of_fold": None, "final": before.get("final")}
    curve = curve_rows(summary, folds)
    write_table(study.curve_file, curve)
    write_json(study.summary_file, summary)
    known = before.get("out_of_fold") or {}
    weights = weights or known.get("weights", "last")
    with _beside(lambda: _pictures.draw(study.plots, curve, folds, summary)):
        if known.get("weights") != weights:
            known = _out_of_fold.predict(study, names, weights)
    summary["out_of_fold"] = known
    write_json(study.summary_file, summary)
    if config.training.keep is not None:
        for fold in folds:
            keep_only(fold.run, config.training.keep, f"training.keep of the study is {config.training.keep}")
    return summary


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Do some work in a forked process meanwhile; where that fails, or other threads make a fork unsafe, afterwards."""
    tasks = Path("/proc/self/task")  # of Linux: the threads of this process
    alone = tasks.is_dir() and len(list(tasks.iterdir())) == 1
    forked = multiprocessing.get_context("fork").Process(target=work) if alone else None
    if forked:
        forked.start()
    yield
    if forked:
        forked.join()
    if not forked or forked.exitcode:
        work()


def why_failed(result: JobResult) -> str:
    """The message of a run that is not completed: from its record, else the end of what its process printed."""
    run = RunDir(result.job.run_dir)
    failure: Mapping[str, Any] = (run.record().get("failure") or {}) if result.status == FAILED else {}
    text = str(failure.get("message", "")).removeprefix("error: ")
    if not text:
        output = run.path.with_name(f"{run.id}.out")
        lines = output.read_text(encoding="utf-8", errors="replace").splitlines() if output.exists() else []
        ended = f"its process ended with code {result.exit_code}"
        errors = [line for line in lines if line.startswith("error: ")]
        text = errors[-1].removeprefix("error: ") if errors else ended
    return _PLACE.sub("", text.splitlines()[0])
