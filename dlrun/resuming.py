"""Which runs can go on, and under which config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlrun.config.changes import FREE, changes
from dlrun.config.identity import identity
from dlrun.config.loading import load_config
from dlrun.config.schema import Config
from dlrun.errors import ConfigError
from dlrun.run_dir import COMPLETED, RUNNING, RunDir


def config_to_resume(run: RunDir, overrides: Sequence[str] = ()) -> Config:
    """The config under which an unfinished run goes on, or a completed one that shall have more epochs.

    Raises ConfigError when there is nothing to resume or a change would make it another run.
    """
    config = load_config(run.config_file, overrides)
    check_resumable(run, config)
    return config


def check_resumable(run: RunDir, config: Config) -> None:
    """Raise ConfigError unless the run can go on under this config."""
    status = run.status()
    if status == RUNNING:
        raise ConfigError(f"the run {run.id} is running", hint="wait for it, or stop it with Ctrl-C first")
    trained = load_config(run.trained_config_file) if run.trained_config_file.exists() else None
    begun = run.epochs_begun()
    if trained is None and status == COMPLETED:  # its checkpoints were removed
        _refuse_changes(load_config(run.config_file), config)
    if trained and begun:
        _refuse_changes(trained, config)
    if config.training.epochs < begun:
        raise ConfigError(f"the run {run.id} is in epoch {begun}", received=f"training.epochs={config.training.epochs}")
    if status == COMPLETED:
        _check_longer(run, config)


def resumed_identity(run: RunDir, config: Config, record: Mapping[str, Any]) -> str | None:
    """Which experiment the run is when it goes on: the one it was begun as, unless it became longer.

    The config of the run states what was open at its beginning, so its own identity is another one.
    """
    same = identity(load_config(run.config_file)) == identity(config)
    return record.get("identity") if same else None


def _refuse_changes(trained: Config, config: Config) -> None:
    refused = [change for change in changes(trained, config) if not change.allowed]
    if refused:
        raise ConfigError(
            "a run that goes on keeps what it was begun with",
            received="\n".join(map(str, refused)),
            expected=f"the same, but for {', '.join(FREE)} and callbacks that only log",
            hint="start a new run to change something",
        )


def _check_longer(run: RunDir, config: Config) -> None:
    epochs = run.metrics()["epochs"]
    trained = load_config(run.trained_config_file).training.epochs if run.trained_config_file.exists() else epochs
    if epochs < trained:
        raise ConfigError(f"the run {run.id} is completed: a callback or its routine ended it after {epochs} epochs")
    if config.training.epochs <= epochs:
        more = f"dlrun train --resume {run.id} -s training.epochs={2 * epochs}"
        if config.training.stages:  # they are what the run was begun with
            more = "a new run with more of them in training.stages"
        raise ConfigError(
            f"the run {run.id} is completed",
            expected="an interrupted or failed run, or more epochs",
            hint=f"for more epochs: {more}",
        )
