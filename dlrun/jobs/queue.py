"""A queue of runs that outlives whoever works on it: SQLite in the folder of the runs, and the runs' own directories.

Any number of processes of one machine use it at once. Each change is one short transaction. A run is claimed by a
process (host, number, start time); what a dead process had claimed is found by the next one that looks.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from dlrun.errors import JobError, UnknownNameError
from dlrun.files import make_folder
from dlrun.jobs.endings import CANCELLED, DONE, OPEN, RUNNING, STATES, WAITING, Attempt, after
from dlrun.jobs.entries import ADDED, TABLES, Entry, Request, entry_of
from dlrun.jobs.job import Job
from dlrun.jobs.leases import Box, needs_of, of_pool
from dlrun.processes import alive, this_process

FORMAT = 2
_PATIENCE_SECONDS = 60.0  # for another process' transaction


class Queue:
    """The queue in `<folder>/queue.sqlite`, made if it is not there. Raises JobError when it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder).absolute()
        self.path = self.folder / "queue.sqlite"
        self._me = json.dumps(this_process())
        with self._explained():
            self._db = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._prepare()

    def job(self, entry: Entry) -> Job:
        """What runs an entry; a failed run is tried again, since the queue decides whether it shall be."""
        run_dir = self.folder / entry.run
        return Job(run_dir.with_name(f"{run_dir.name}.yaml"), run_dir, again=True)

    def add(self, requests: Sequence[Request], *, rerun: bool = False) -> list[Entry]:
        """The entries of the requests, in their order, all of them in one transaction.

        An experiment that is waiting or running is joined; one that is done is left so, unless `rerun`; one that failed
        or was cancelled waits again, and its run goes on.
        """
        with self._writing():
            return [self._add(request, rerun=rerun) for request in requests]

    def entries(self, numbers: Iterable[int] | None = None, states: Iterable[str] = STATES) -> list[Entry]:
        """These entries, or all, by number; only those in one of these states."""
        marks = ", ".join("?" * len(states := [*states]))
        with self._explained():
            select = f"SELECT * FROM jobs WHERE state IN ({marks}) ORDER BY number"
            rows = self._db.execute(select, states).fetchall()
        wanted = None if numbers is None else set(numbers)
        return [entry_of(row) for row in rows if wanted is None or row["number"] in wanted]

    def counts(self) -> dict[str, int]:
        """How many entries there are in each state that occurs."""
        with self._explained():
            found = dict(self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
        return {state: found[state] for state in STATES if state in found}

    def find(self, numbers: Sequence[int]) -> list[Entry]:
        """These entries. Raises UnknownNameError when one is not there."""
        found = {entry.number: entry for entry in self.entries(numbers)}
        for number in numbers:
            if number not in found:
                raise UnknownNameError(f"there is no job {number}", hint="`dlrun queue ls --all` lists them")
        return [found[number] for number in numbers]

    def claim(self, box: Box) -> Entry | None:
        """The next waiting entry that this process may run, with its lease; None when there is none, or no room.

        Strictly in order: an entry that needs more than is free holds back those after it, so that it gets its turn.
        """
        with self._explained():
            waiting = self._db.execute("SELECT 1 FROM jobs WHERE state = 'waiting' AND NOT paused LIMIT 1").fetchone()
        if not waiting or self.paused():
            return None
        with self._writing() as db:
            select = "SELECT * FROM jobs WHERE state = 'waiting' AND NOT paused ORDER BY number LIMIT 1"
            row = db.execute(select).fetchone()
            if row is None or self.paused():
                return None
            entry = entry_of(row)
            lease = box.lease(needs_of(entry), self._taken())
            if lease is None:
                return None
            values = {"state": RUNNING, "lease": json.dumps(lease), "owner": self._me, "process": None}
            return self._update(entry.number, **values, began=time.time(), ended=None)

    def started(self, number: int, process: dict[str, Any]) -> None:
        """Note the process that runs an entry: as long as it lives, the entry keeps its lease."""
        with self._writing():
            self._update(number, process=json.dumps(process))

    def hand_over(self, number: int, process: dict[str, Any]) -> None:
        """Leave an entry to the process that runs it already; `recover` settles it when that has ended."""
        with self._writing():
            self._update(number, process=json.dumps(process), owner=json.dumps(process))

    def settle(self, number: int, exit_code: int | None, *, stopped: bool = False) -> Entry:
        """Give the lease of an entry back that this process has run, and decide what follows (`endings.after`)."""
        with self._writing() as db:
            row = db.execute("SELECT * FROM jobs WHERE number = ?", [number]).fetchone()
            if row["state"] != RUNNING or row["owner"] != self._me:  # someone else has settled it
                return entry_of(row)
            return self._settle(entry_of(row), exit_code, stopped=stopped)

    def recover(self) -> list[Entry]:
        """Settle what dead processes had claimed, once the process that ran it is dead, too."""
        if not any(map(_left_behind, self._running())):
            return []
        with self._writing():
            return [self._put_back(entry) for entry in self._running() if _left_behind(entry)]

    def release(self) -> None:
        """Put back what this process has claimed and nothing runs."""
        with self._writing():
            for entry in self._running():
                if json.dumps(entry.owner) == self._me and not (entry.process and alive(entry.process)):
                    self._put_back(entry)

    def paused(self) -> bool:
        """Whether nothing new begins."""
        with self._explained():
            return self._db.execute("SELECT value FROM settings WHERE key = 'paused'").fetchone()[0] == "1"

    def pause(self, numbers: Sequence[int] = (), *, paused: bool = True) -> None:
        """Let nothing new begin, or not these entries; what runs goes on. `paused=False` ends it."""
        with self._writing() as db:
            if not numbers:
                db.execute("UPDATE settings SET value = ? WHERE key = 'paused'", [str(int(paused))])
            for number in numbers:
                self._update(number, paused=int(paused))

    def cancel(self, numbers: Sequence[int]) -> list[Entry]:
        """Take entries out of the queue. Those that run keep their state; they are marked, to be stopped."""
        return self._each(numbers, OPEN, lambda entry: self._cancel(entry))

    def retry(self, numbers: Sequence[int]) -> list[Entry]:
        """Let entries that failed or were cancelled wait again."""
        return self._each(numbers, None, lambda entry: entry if entry.state in (*OPEN, DONE) else self._reopen(entry))

    def _each(
        self, numbers: Sequence[int], states: tuple[str, ...] | None, change: Callable[[Entry], Entry]
    ) -> list[Entry]:
        with self._writing():
            return [change(one) if states is None or one.state in states else one for one in self.find(numbers)]

    def _cancel(self, entry: Entry) -> Entry:
        if entry.state == RUNNING:
            return self._update(entry.number, cancelled=1)
        return self._update(entry.number, state=CANCELLED, cancelled=1, ended=time.time())

    def _reopen(self, entry: Entry, **changes: Any) -> Entry:
        fresh = {"cancelled": 0, "paused": 0, "alone": 0, "crashes": 0, "failure": None, "message": None}
        return self._update(entry.number, state=WAITING, ended=None, **fresh, **changes)

    def _add(self, request: Request, *, rerun: bool) -> Entry:
        select = "SELECT * FROM jobs WHERE experiment = ? ORDER BY state IN ('waiting', 'running'), number"
        same = [entry_of(row) for row in self._db.execute(select, [request.experiment])]
        asked = {"gpu_memory": request.gpu_memory, "gpus": request.gpus}
        if same and same[-1].state in OPEN:
            return self._update(same[-1].number, **asked)
        if same and not rerun:
            done = [entry for entry in same if entry.state == DONE and self.job(entry).done]
            return done[-1] if done else self._reopen(same[-1], **asked)
        values = {field.name: getattr(request, field.name) for field in fields(Request)} | {"added": time.time()}
        insert = f"INSERT INTO jobs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"
        number = self._db.execute(insert, list(values.values())).lastrowid
        return entry_of(self._db.execute("SELECT * FROM jobs WHERE number = ?", [number]).fetchone())

    def _settle(self, entry: Entry, exit_code: int | None, *, stopped: bool) -> Entry:
        job = self.job(entry)
        attempt = Attempt(job, entry.began or 0, entry.crashes, entry.alone, entry.cancelled, exit_code, stopped)
        changes = after(attempt)
        ended = None if changes["state"] in OPEN else time.time()
        return self._update(entry.number, lease=None, owner=None, process=None, ended=ended, **changes)

    def _put_back(self, entry: Entry) -> Entry:
        """Settle an entry that nothing runs any more; in a cluster its process ends with its owner, too."""
        if of_pool(entry.lease):
            self.job(entry).give_up()
        return self._settle(entry, None, stopped=True)

    def _running(self) -> list[Entry]:
        return self.entries(states=[RUNNING])

    def _taken(self) -> set[str]:
        """What is leased on this machine."""
        host = this_process()["host"]
        return {name for entry in self._running() if (entry.owner or {}).get("host") == host for name in entry.lease}

    def _update(self, number: int, **values: Any) -> Entry:
        assignments = ", ".join(f"{key} = ?" for key in values)
        self._db.execute(f"UPDATE jobs SET {assignments} WHERE number = ?", [*values.values(), number])
        return entry_of(self._db.execute("SELECT * FROM jobs WHERE number = ?", [number]).fetchone())

    def _prepare(self) -> None:
        with self._writing() as db:
            db.execute("CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            db.execute("INSERT OR IGNORE INTO settings VALUES ('format', ?), ('paused', '0')", [str(FORMAT)])
            found = int(db.execute("SELECT value FROM settings WHERE key = 'format'").fetchone()[0])
            if found > FORMAT:
                raise JobError(
                    f"{self.path} has format {found}",
                    expected=f"format {FORMAT}",
                    hint="it was written by a newer dlrun",
                )
            for statement in TABLES.split(";"):
                db.execute(statement)
            if found < FORMAT:
                for name, kind in ADDED.items():
                    db.execute(f"ALTER TABLE jobs ADD COLUMN {name} {kind}")
                db.execute("UPDATE settings SET value = ? WHERE key = 'format'", [str(FORMAT)])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that sees no change of others; undone when anything is raised in it."""
        with self._explained():
            if self._db.in_transaction:  # a signal came just when one began
                self._db.execute("ROLLBACK")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JobError(
                f"the queue {self.path} cannot be used: {error}", hint="it must lie on a disk of this machine"
            ) from error


def _left_behind(entry: Entry) -> bool:
    """Whether neither the process that claimed a running entry nor the one that runs it is alive."""
    return not alive(entry.owner or {}) and not (entry.process and alive(entry.process))
