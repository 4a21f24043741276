"""What the queue keeps of each run: its columns, and their values in Python."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, run TEXT NOT NULL UNIQUE, experiment TEXT NOT NULL,
  device TEXT NOT NULL, threads INTEGER NOT NULL, backend TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  paused INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0, alone INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0, failure TEXT, message TEXT, lease TEXT, owner TEXT, process TEXT,
  added REAL NOT NULL, began REAL, ended REAL,
  gpu_memory INTEGER NOT NULL DEFAULT 0, gpus INTEGER NOT NULL DEFAULT 1);
CREATE INDEX IF NOT EXISTS by_state ON jobs (state, number);
CREATE INDEX IF NOT EXISTS by_experiment ON jobs (experiment);
"""
ADDED = {"gpu_memory": "INTEGER NOT NULL DEFAULT 0", "gpus": "INTEGER NOT NULL DEFAULT 1"}  # since format 2


@dataclass(frozen=True)
class Request:
    """A run to be queued. `run` is its directory below the queue's folder; its config is the file `<run>.yaml`.

    Requests with the same `experiment` are the same run. `gpu_memory`: MiB of a GPU that it may share with others, 0
    when that is not stated; `gpus`: how many.
    """

    name: str
    run: str
    experiment: str
    device: str = "auto"
    threads: int = 1
    backend: str = "tensorflow"
    gpu_memory: int = 0
    gpus: int = 1


@dataclass(frozen=True)
class Entry:
    """A run in the queue. Times are seconds since 1970; `lease` names what it has of the machine while it runs."""

    number: int
    name: str
    run: str
    experiment: str
    device: str
    threads: int
    backend: str
    state: str
    paused: bool
    cancelled: bool
    alone: bool
    crashes: int
    failure: str | None
    message: str | None
    lease: list[str]
    owner: dict[str, Any] | None
    process: dict[str, Any] | None
    added: float
    began: float | None
    ended: float | None
    gpu_memory: int = 0
    gpus: int = 1


def entry_of(row: sqlite3.Row) -> Entry:
    """A row of the table."""
    values = dict(row)
    for key in ("paused", "cancelled", "alone"):
        values[key] = bool(values[key])
    for key in ("lease", "owner", "process"):
        values[key] = json.loads(values[key]) if values[key] else None
    return Entry(**{**values, "lease": values["lease"] or []})
