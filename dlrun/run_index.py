"""Which runs and studies lie in a folder, and what their files say, found again in an index.

The directories are the truth. Each listing looks at them, and reads only those whose files are not as the index knows
them: by modification and change time, size and inode. Without an index, or one that cannot be used, all are read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dlrun.errors import RunDirError
from dlrun.processes import alive
from dlrun.records import COMPLETED, INTERRUPTED, RUNNING, read_json

INDEX = ".index.sqlite"
DAMAGED = "damaged"
RUN, STUDY = "run", "study"
_VERSION = 1  # of the table; another one is made anew
_WORTH = 20  # so many directories to be read again are worth a writing
_SETTLED_NS = 2_000_000_000  # what was changed less than 2 s ago may change again within a tick of the file's clock
_BUSY_SECONDS = 0.05  # to wait for another process; then the directories are read


class Listed(NamedTuple):
    """A run or study: the folder below that of all runs, its id, and what its files say.

    `written` is the status in its record, which `status` brings up to date; `process` (JSON) is who wrote it, if it
    was running. `mode` is that of the metric; for a study `value` is the mean of its folds, or that of its best trial.
    """

    folder: str
    id: str
    signature: int
    kind: str = RUN
    started: str = ""
    written: str = DAMAGED
    process: str | None = None
    seconds: float | None = None
    best_epoch: int | None = None
    metric: str | None = None
    mode: str | None = None
    value: float | None = None

    @property
    def status(self) -> str:
        """The status; one that is running while its process is gone counts as interrupted."""
        if self.written == RUNNING and not alive(json.loads(self.process or "{}")):
            return INTERRUPTED
        return self.written


def listed(outputs: Path, folder: str | None = None) -> list[Listed]:
    """Every run and study in the folders below `outputs`, or in this one, in the order in which they were started.

    First come those that have lost their record, or whose record is damaged.
    """
    looked = time.time_ns()
    folders = [folder] if folder is not None else [entry.name for entry in _folders(outputs)]
    there = {(name, one): found for name in folders for one, found in _signatures(outputs / name)}
    with contextlib.closing(_Index(outputs)) as index:
        known = {(row[0], row[1]): Listed._make(row) for row in index.rows(folder)}
        changed = [key for key, (_, found) in there.items() if key not in known or known[key].signature != found]
        new = {key: _read(outputs, *key, *there[key]) for key in changed}
        settled = [row for row in new.values() if looked - _newest(outputs / row.folder / row.id) > _SETTLED_NS]
        gone = known.keys() - there.keys()
        if len(settled) + len(gone) >= _WORTH:
            index.write(settled, gone)
    rows = [new.get(key) or known[key] for key in there]
    return sorted(rows, key=lambda row: (row.started, row.id))


def look_at(path: Path) -> Listed | None:
    """What is to be known of one run or study, wherever it lies, without an index."""
    found = _signature(str(path))
    return _read(path.parent.parent, path.parent.name, path.name, *found) if found else None


def run_ids(outputs: Path, begin: str = "") -> list[tuple[str, str]]:
    """Folder and id of each run whose id begins so, in any order."""
    paths = ((place.name, one) for place in _folders(outputs) for one in _entries(place) if one.name.startswith(begin))
    return [(folder, one.name) for folder, one in paths if (_signature(one.path) or (STUDY,))[0] == RUN]


def _folders(outputs: Path) -> Iterator[os.DirEntry[str]]:
    """The folders of names, each once: none that is a link to another one beside it."""
    for entry in _entries(outputs):
        if not entry.is_symlink() or Path(entry.path).resolve().parent != outputs.resolve():
            yield entry


def _entries(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """The directories in a folder, or links to them; hidden ones are no runs but what is being removed."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from (entry for entry in entries if entry.name[0] != "." and entry.is_dir())


def _signatures(folder: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    """The runs and studies in a folder: name, kind, and what their files are like."""
    for entry in _entries(folder):
        if found := _signature(entry.path):
            yield entry.name, found


def _signature(path: str) -> tuple[str, int] | None:
    """Kind and state of the files of a run or study, as a hash of integers, which is the same in every process. What
    has lost its record but not its checkpoint was a run.
    """
    if record := _stat(f"{path}/run.json"):
        return RUN, hash((record, _stat(f"{path}/metrics.json")))
    if record := _stat(f"{path}/study.json"):
        return STUDY, hash((record, _stat(f"{path}/summary.json")))
    record = _stat(f"{path}/checkpoint")
    return (RUN, hash(record)) if record else None


def _stat(path: str) -> tuple[int, ...]:
    """Times of modification and change in nanoseconds, size and inode of a file; nothing when it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _newest(path: Path) -> int:
    """When the latest of the files was changed, in nanoseconds since 1970."""
    files = ("run.json", "metrics.json", "study.json", "summary.json", "checkpoint")
    return max((time_ for name in files for time_ in _stat(f"{path}/{name}")[:2]), default=0)


def _read(outputs: Path, folder: str, name: str, kind: str, signature: int) -> Listed:
    """What the files of a run or study say; one whose files are damaged says so."""
    path = outputs / folder / name
    row = Listed(folder, name, signature, kind)
    try:
        record = read_json(path / ("run.json" if kind == RUN else "study.json"))
        row = row._replace(started=str(record.get("started", "")) if "status" in record else "")
        status, process = str(record["status"]), None
        if status == RUNNING:
            process = json.dumps(dict(record.get("process") or {}))
        facts = _run_facts(path, status) if kind == RUN else _study_facts(path)
        return row._replace(written=status, process=process, seconds=_number(record.get("seconds")), **facts)
    except (RunDirError, KeyError, AttributeError, TypeError, ValueError):
        return row


def _run_facts(path: Path, status: str) -> dict[str, Any]:
    """Best epoch and monitored metric; nothing for a run that did not come to its end."""
    if status != COMPLETED and not (path / "metrics.json").exists():
        return {}
    metrics = read_json(path / "metrics.json")
    return _facts(metrics["monitor"], metrics.get("mode"), metrics["best_epoch"], metrics["best"])


def _study_facts(path: Path) -> dict[str, Any]:
    """Of folds the recommended epoch and their mean there, of a sweep what its best trial has."""
    if not (path / "summary.json").exists():
        return {}
    summary = read_json(path / "summary.json")
    best, metric = summary["best"], summary["monitor"]
    if summary.get("verb") == "sweep":
        epoch, value = (best["best_epoch"], best["value"]) if best else (None, None)
    else:
        epoch, value = summary["recommended_epochs"], best[metric]["mean"]
    return _facts(metric, summary.get("mode"), epoch, {metric: value})


def _facts(metric: Any, mode: Any, epoch: Any, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "metric": str(metric),
        "mode": str(mode),
        "best_epoch": _number(epoch),
        "value": _number(values.get(metric)),
    }


def _number(value: Any) -> Any:
    """A number that the index can hold, else None."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**62 else None


class _Index:
    """The file with what was read before. Whatever goes wrong with it, it is empty then; a damaged one is removed."""

    def __init__(self, outputs: Path) -> None:
        self._path = outputs / INDEX
        self._db: sqlite3.Connection | None = None
        if self._path.exists():
            self._open()

    def rows(self, folder: str | None) -> Sequence[tuple[Any, ...]]:
        """What it knows of a folder, or of all that are not inside of a study."""
        if self._db is None:
            return []
        where, values = ("folder = ?", [folder]) if folder is not None else ("instr(folder, '/') = 0", [])
        with self._usable(self._db) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
                return db.execute(f"SELECT {', '.join(Listed._fields)} FROM listed WHERE {where}", values).fetchall()
        return []

    def write(self, rows: Iterable[Listed], gone: Iterable[tuple[str, str]]) -> None:
        """Keep these, forget those; when another process is about it, or the folder cannot be written, do nothing."""
        if self._db is None:
            self._open()
        if self._db is None:
            return
        columns, marks = ", ".join(Listed._fields), ", ".join("?" * len(Listed._fields))
        with self._usable(self._db) as db:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                db.execute("DROP TABLE IF EXISTS listed")
                db.execute(f"CREATE TABLE listed ({columns}, PRIMARY KEY (folder, id)) WITHOUT ROWID")
                db.execute(f"PRAGMA user_version = {_VERSION}")
            db.executemany("DELETE FROM listed WHERE folder = ? AND id = ?", gone)
            db.executemany(f"INSERT OR REPLACE INTO listed VALUES ({marks})", rows)
            db.execute("COMMIT")

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def _open(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)

    @contextlib.contextmanager
    def _usable(self, db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        """The open file; what goes wrong inside is passed over, and a damaged file removed."""
        try:
            yield db
        except (sqlite3.OperationalError, ValueError):  # written just now, no right to write, names that are no UTF-8
            pass
        except sqlite3.DatabaseError:
            self.close()
            self._db = None
            with contextlib.suppress(OSError):
                self._path.unlink()
