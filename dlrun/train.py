"""The eight steps of one run, in order, nothing else."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dlrun import __version__, environment
from dlrun.config.loading import dump_config
from dlrun.config.schema import Config
from dlrun.data._prepare import prepare_data
from dlrun.data._saved import save_preprocessing
from dlrun.data._sources import DataContext
from dlrun.engine import failures
from dlrun.engine.recording import RunLog, run_metrics
from dlrun.engine.resolve import Experiment, import_components, keep_plugins
from dlrun.engine.session import Session, start_session
from dlrun.errors import DlrunError, Interrupted, RunDirError, TrainingError
from dlrun.events import DataReady, Note, OnEvent, RunEnded, RunStarted, ignore
from dlrun.registry import ROUTINES
from dlrun.run_dir import COMPLETED, FAILED, INTERRUPTED, RunDir, write_json, write_text

logger = logging.getLogger("dlrun")


def train(
    config: Config,
    *,
    run: Callable[[], RunDir] | RunDir,
    on_event: OnEvent = ignore,
    command: Sequence[str] = (),
    config_file: Path | None = None,
) -> RunDir:
    """Run one experiment and return its run directory.

    `run` makes the run directory at step 5 (so that a mistake found earlier leaves nothing behind); an existing RunDir
    is resumed from its checkpoint. Raises DlrunError; the run then says `failed` or `interrupted`.
    """
    began = time.perf_counter()
    environment.set_environment(config.runtime.backend, config.runtime.device)
    try:
        session = start_session(config.runtime, config.seed)
        builders = import_components(config)
        resume = isinstance(run, RunDir)
        directory = run if isinstance(run, RunDir) else run()
        with RunLog(directory, on_event) as emit:
            config = _claim(config, directory, session, builders, command, config_file, resume)
            emit(RunStarted(directory.id, directory.path, config.name))
            _guarded(config, directory, emit, began, resume)
    except DlrunError as error:
        raise error.located(config.place) from error.__cause__
    return directory


def _claim(
    config: Config,
    run: RunDir,
    session: Session,
    builders: dict[str, Callable[..., Any]],
    command: Sequence[str],
    config_file: Path | None,
    resume: bool,
) -> Config:
    """Step 5: `config.yaml` and `run.json`. A resumed run keeps both and counts the resume."""
    if resume:
        record = run.record()
        run.start({**record, "status": "running", "resumed": record.get("resumed", 0) + 1, "failure": None})
        return config
    config = keep_plugins(config, run)
    write_text(run.config_file, dump_config(config))
    run.start(
        {
            "name": config.name,
            "description": config.description,
            "command": list(command),
            "folder": str(Path.cwd()),
            "config_file": str(config_file) if config_file else None,
            "seed": config.seed,
            "sample_data": config.data.sample,
            "device": session.device_name,
            "threads": session.threads,
            "versions": environment.installed_versions() | {"dlrun": __version__},
            "git": environment.git_state(Path.cwd()),
            "builders": {key: str(Path(builder.__code__.co_filename)) for key, builder in builders.items()},
            "test_readings": [],
        }
    )
    return config


def _guarded(config: Config, run: RunDir, emit: OnEvent, began: float, resume: bool) -> None:
    """Steps 6 to 8, with the run's status right whatever happens."""
    try:
        _work(config, run, emit, began, resume)
    except (Interrupted, KeyboardInterrupt) as error:
        resumable = isinstance(error, Interrupted) and error.exit_code == 75
        run.end(INTERRUPTED, resumable=resumable)
        emit(RunEnded(INTERRUPTED, time.perf_counter() - began))
        raise
    except DlrunError as error:
        kind = error.kind if isinstance(error, TrainingError) else type(error).__name__.removesuffix("Error").lower()
        run.end(FAILED, failure={"kind": kind, "message": str(error.located(config.place))})
        emit(RunEnded(FAILED, time.perf_counter() - began))
        raise
    except Exception as error:
        run.end(FAILED, failure={"kind": "crash", "message": f"{type(error).__name__}: {error}"})
        with run.log_file.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        emit(RunEnded(FAILED, time.perf_counter() - began))
        raise


def _work(config: Config, run: RunDir, emit: OnEvent, began: float, resume: bool) -> None:
    data = load_data(config)
    if resume and data.fingerprint != run.record().get("data"):
        raise RunDirError("the data is not the same as when the run began", hint="start a new run on the new data")
    save_preprocessing(data, run.preprocess)
    run.update(data=data.fingerprint, split={"kind": data.split_kind, **{k: len(v) for k, v in data.splits.items()}})
    emit(
        DataReady(
            config.data.name,
            ", ".join(task.kind for task in data.spec.tasks.values()),
            {name: len(rows) for name, rows in data.splits.items()},
            {name: spec.shape for name, spec in data.spec.inputs.items()},
        )
    )
    for note in data.notes:
        emit(Note(note))
    experiment = Experiment(config, run, data, emit, resume)
    routine = ROUTINES.get(config.routine.name)
    try:
        outcome = routine(experiment, **config.routine.parameters)
    except DlrunError:
        raise
    except Exception as error:  # boundary: Keras, TensorFlow or the user's routine
        with run.log_file.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        raise failures.explain(error, config) from error
    seconds = time.perf_counter() - began
    metrics = run_metrics(experiment, outcome, seconds)
    write_json(run.metrics_file, metrics)
    run.end(COMPLETED, seconds=round(seconds, 2), notes=data.notes)
    emit(RunEnded(COMPLETED, seconds))


def load_data(config: Config) -> Any:
    """Step 6: locate, load, split, fit the encoder on the training part."""
    context = DataContext(
        seed=config.seed,
        sample=config.data.sample,
        folders=[config.data.dir] if config.data.dir else [],
    )
    return prepare_data(
        config.data.name,
        {key: value for key, value in config.data.parameters.items()},
        context=context,
        split=config.split.model_dump(),
        seed=config.seed,
    )
