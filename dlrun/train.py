"""The eight steps of one run, in order, nothing else."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from dlrun.config.dumping import dump_config
from dlrun.config.identity import identity_record
from dlrun.config.schema import Config, with_section
from dlrun.data._fingerprint import same_data
from dlrun.data._saved import save_preprocessing
from dlrun.engine import checkpointing
from dlrun.engine.execution import Outcome
from dlrun.engine.guard_rails import after_training, tell
from dlrun.engine.provenance import another_session, provenance
from dlrun.engine.recording import RunLog, draw_plots, run_metrics
from dlrun.engine.resolve import Experiment, keep_plugins, load_data, open_session, settled_data
from dlrun.engine.running import run_routine
from dlrun.engine.signals import interrupted_by_signals, stop_on_signals, stopped_at_once
from dlrun.errors import DlrunError, Interrupted, RunDirError, TrainingError
from dlrun.events import DataReady, Note, OnEvent, RunEnded, RunStarted, ignore
from dlrun.files import write_json, write_text
from dlrun.keeping import ALL, keep_only
from dlrun.resuming import check_resumable, resumed_identity
from dlrun.run_dir import COMPLETED, FAILED, INTERRUPTED, RunDir


def train(
    config: Config,
    *,
    outputs: Path = Path("outputs"),
    run_dir: Path | None = None,
    resume: RunDir | None = None,
    on_event: OnEvent = ignore,
    about: Mapping[str, object] | None = None,
) -> RunDir:
    """Run one experiment and return its run directory.

    The run lies in a new directory under `outputs`, or in `run_dir`. With `resume` that run goes on from its newest
    checkpoint (from the start, equally, when it has none). `about` is added to `run.json`: command, parent run.
    A mistake that can be seen before the data is read leaves nothing behind. Raises DlrunError; a run that began then
    says `failed` or `interrupted`.
    """
    began = time.perf_counter()
    if resume:
        check_resumable(resume, config)
    with open_session(config, shared=True) as session:
        run = resume or (RunDir.claim(run_dir) if run_dir else RunDir.create(outputs, config.name))
        with run.owned(new=resume is None), RunLog(run, on_event) as emit:
            if resume:
                before = run.record()
                before["identity"] = resumed_identity(run, config, before)
                run.metrics_file.unlink(missing_ok=True)  # of a completed run that shall have more epochs
                began -= before.get("seconds") or 0  # a resumed run counts the time of its earlier part
                run.start(another_session(before, session, run, about or {}))
            else:
                record = {**identity_record(config), **provenance(config, session, run, about or {})}
                config = keep_plugins(config, run)
                config = with_section(config, "runtime", threads=session.threads, deterministic=session.deterministic)
                write_text(run.config_file, dump_config(config))
                run.start(record)
            emit(RunStarted(run.id, run.path, config.name))
            _guarded(config, run, emit, began, resumed=resume is not None)
            keep_only(run, config.training.keep or ALL, f"training.keep is {config.training.keep}")
    return run


def _guarded(config: Config, run: RunDir, emit: OnEvent, began: float, *, resumed: bool) -> None:
    """Steps 6 to 8, with the run's status right whatever happens."""
    status, failure = COMPLETED, None
    try:
        with interrupted_by_signals():
            experiment, outcome = _work(config, run, emit, resumed=resumed)
        with stop_on_signals():  # what is left takes moments, and a signal now does not end the run
            _record(experiment, outcome, time.perf_counter() - began)
    except Interrupted:
        status = INTERRUPTED
        raise
    except KeyboardInterrupt as error:
        status = INTERRUPTED
        raise stopped_at_once(run) from error
    except DlrunError as error:
        kind = _failure_kind(error)
        status, failure = FAILED, {"kind": kind, "message": str(error.located(config.place))}
        raise
    except OSError as error:
        status, failure = FAILED, {"kind": "disk", "message": str(error)}
        raise RunDirError(f"the run {run.path} cannot be written: {error.strerror}") from error
    except BaseException as error:
        status, failure = FAILED, {"kind": "crash", "message": f"{type(error).__name__}: {error}"}
        with run.log_file.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        raise
    finally:
        seconds = time.perf_counter() - began
        resumable = {"resumable": bool(checkpointing.generations(run.checkpoint))} if status != COMPLETED else {}
        with contextlib.suppress(RunDirError) if failure else contextlib.nullcontext():
            run.end(status, seconds=round(seconds, 2), **resumable, **({"failure": failure} if failure else {}))
        emit(RunEnded(status, seconds))


def _failure_kind(error: DlrunError) -> str:
    """What `failure.kind` says: that of a TrainingError, disk, or the error's own name (data, config, ...)."""
    if isinstance(error, TrainingError):
        return error.kind
    return "disk" if isinstance(error, RunDirError) else type(error).__name__.removesuffix("Error").lower()


def _work(config: Config, run: RunDir, emit: OnEvent, *, resumed: bool) -> tuple[Experiment, Outcome]:
    data = load_data(config)
    if resumed and not same_data(data.fingerprint, run.record().get("data") or data.fingerprint):
        raise RunDirError("the data is not the same as when the run began", hint="start a new run on the new data")
    save_preprocessing(data, run.preprocess)
    rows = {name: len(indices) for name, indices in data.splits.items()}
    run.update(data=data.fingerprint, split={"kind": data.split_kind, **rows}, notes=data.notes)
    tasks = ", ".join(task.kind for task in data.spec.tasks.values()) or "no targets"
    emit(DataReady(config.data.name, tasks, rows, {name: spec.shape for name, spec in data.spec.inputs.items()}))
    for note in data.notes:
        emit(Note(note))
    experiment = Experiment(config, run, data, emit, resumed and bool(checkpointing.generations(run.checkpoint)))
    experiment.settle(**settled_data(config, data))
    return experiment, run_routine(experiment)


def _record(experiment: Experiment, outcome: Outcome, seconds: float) -> None:
    metrics = run_metrics(experiment, outcome, seconds)
    write_json(experiment.run.metrics_file, metrics)
    tell(experiment, after_training(experiment.config, experiment.run.id, metrics, outcome.progress.history))
    if problem := draw_plots(experiment, outcome, metrics):
        experiment.emit(Note(problem))
