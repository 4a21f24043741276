"""What a run reports while it goes on: `train(config, on_event=...)` calls back with these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class RunStarted:
    """The run directory is claimed."""

    run_id: str
    path: Path
    name: str


@dataclass(frozen=True)
class DataReady:
    """The data is loaded and split; `rows` by split name."""

    dataset: str
    task: str
    rows: dict[str, int]
    inputs: dict[str, tuple[int | None, ...]]


@dataclass(frozen=True)
class ModelReady:
    """The model is built and compiled. `execution` says how its epochs are driven, `jit_compile` whether by XLA."""

    parameters: int
    trainable_parameters: int
    epochs: int
    steps_per_epoch: int
    monitor: str
    mode: Literal["min", "max"]
    execution: Literal["stepwise", "whole_epoch"] = "stepwise"
    jit_compile: bool = False


@dataclass(frozen=True)
class StepDone:
    """Some steps of an epoch are done (paced by time, not every step is reported). Epochs and steps count from 1."""

    epoch: int
    step: int
    logs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EpochDone:
    """An epoch with its validation is done; `best` says that the monitored value improved."""

    epoch: int
    logs: dict[str, float]
    seconds: float
    best: bool


@dataclass(frozen=True)
class Note:
    """Something the user should know; `code` names the guard rail that found it."""

    message: str
    code: str = ""


@dataclass(frozen=True)
class RunEnded:
    """The run is over: `completed`, `failed` or `interrupted`."""

    status: str
    seconds: float


Event = RunStarted | DataReady | ModelReady | StepDone | EpochDone | Note | RunEnded
OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """The listener that does nothing."""


def shown_names(logs: dict[str, float]) -> list[str]:
    """The logged names a screen shows: loss first, then metrics, then validation; the rate is in history.csv."""

    def place(name: str) -> tuple[bool, bool, bool]:
        return name.startswith("val_"), "loss" not in name, name.removeprefix("val_") != "loss"

    return sorted((name for name in logs if name != "learning_rate"), key=place)


def as_line(event: Event) -> str | None:
    """An event as one plain line, or None for those that only a live display shows."""
    if isinstance(event, RunStarted):
        return f"run {event.path}"
    if isinstance(event, DataReady):
        rows = ", ".join(f"{count} {name}" for name, count in event.rows.items())
        return f"data {event.dataset} ({event.task}): {rows}"
    if isinstance(event, ModelReady):
        how = event.execution.replace("_", " ") + (", XLA" if event.jit_compile else "")
        steps = f"{event.epochs} epochs of {event.steps_per_epoch} steps"
        return f"model: {event.parameters:,} parameters, {steps} ({how})"
    if isinstance(event, EpochDone):
        logs = "  ".join(f"{name} {event.logs[name]:.4g}" for name in shown_names(event.logs))
        return f"epoch {event.epoch}  {event.seconds:.2f} s  {logs}" + ("  *best so far" if event.best else "")
    if isinstance(event, Note):
        return f"note: {event.message}" + (f" [guard: {event.code}]" if event.code else "")
    if isinstance(event, RunEnded):
        return f"{event.status} after {event.seconds:.1f} s"
    return None
