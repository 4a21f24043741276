"""A study directory: its paths and its status. The runs in it are ordinary run directories."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dlrun.engine.signals import interrupted_by_signals
from dlrun.errors import ConfigError, DlrunError, Interrupted, RunDirError, UnknownNameError, did_you_mean
from dlrun.files import typed, write_json, write_text
from dlrun.processes import alive, this_process
from dlrun.run_dir import COMPLETED, FAILED, FORMAT, INTERRUPTED, RUNNING, RunDir, read_json
from dlrun.run_index import STUDY, listed


class StudyDir:
    """One study on disk. `record` is its state in `study.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, outputs: Path, name: str, verb: str) -> StudyDir:
        """Claim `outputs/name/<time>-<6 hex digits>-<verb>/`. Raises RunDirError."""
        claimed = RunDir.create(outputs, name)
        path = claimed.path.with_name(f"{claimed.id}-{verb}")
        claimed.path.rename(path)
        return cls(path)

    @property
    def id(self) -> str:
        return self.path.name

    record_file = property(lambda self: self.path / "study.json")
    config_file = property(lambda self: self.path / "study.yaml")
    configs = property(lambda self: self.path / "configs")
    summary_file = property(lambda self: self.path / "summary.json")
    curve_file = property(lambda self: self.path / "curve.csv")
    plots = property(lambda self: self.path / "plots")
    out_of_fold_file = property(lambda self: self.path / "out_of_fold.csv")

    def run(self, name: str) -> RunDir:
        """The run of this name, whether it has begun or not."""
        return RunDir(self.path / name)

    def config_of(self, name: str) -> Path:
        """The config of a run, as it was planned."""
        return self.configs / f"{name}.yaml"  # type: ignore[no-any-return]

    def start(self, **fields: Any) -> None:
        """Write `study.json` for a study that begins or goes on, with the process that owns it now."""
        before = self.record() if self.record_file.exists() else {"started": _now()}
        for key in ("ended", "failure"):
            before.pop(key, None)
        state = {"format": FORMAT, "id": self.id, "status": RUNNING, "process": this_process()}
        write_json(self.record_file, {**before, **fields, **state})

    def end(self, status: str, **fields: Any) -> None:
        """Set the final status."""
        write_json(self.record_file, {**self.record(), **fields, "status": status, "ended": _now()})

    def record(self) -> dict[str, Any]:
        """What `study.json` says. Raises RunDirError."""
        record = read_json(self.record_file)
        if "status" not in record:
            raise RunDirError(f"{self.record_file} is not a study's record")
        return record

    def status(self) -> str:
        """The status in `study.json`; a running study whose process is gone counts as interrupted."""
        record = self.record()
        running = record["status"] == RUNNING
        return INTERRUPTED if running and not alive(record.get("process") or {}) else str(record["status"])

    def summary(self) -> dict[str, Any]:
        """What `summary.json` says. Raises RunDirError."""
        return read_json(self.summary_file)

    def busy(self) -> bool:
        """Whether a process works on the study now."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the study's lock. Raises RunDirError when another process works on the study."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunDirError(f"another process is working on the study {self.id}") from error
        except OSError as error:
            raise RunDirError(f"the study {self.path} cannot be written: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def at_work(self, left: str, **fields: Any) -> Iterator[None]:
        """Keep the status right whatever happens inside; `fields` go into `study.json` first.

        Raises what is raised inside, and for a signal Interrupted with what is `left` and the command that goes on.
        """
        self.start(**fields)
        status, failure = COMPLETED, ""
        try:
            with interrupted_by_signals():
                yield
        except KeyboardInterrupt as error:
            status = INTERRUPTED
            hint = f"go on with: dlrun {self.record()['verb']} --resume {typed(self.path)}"
            raise Interrupted(f"stopped; {left}", resumable=True, hint=hint) from error
        except DlrunError as error:
            status, failure = FAILED, str(error)
            raise
        except BaseException as error:
            status, failure = FAILED, f"{type(error).__name__}: {error}"
            raise
        finally:
            self.end(status, **({"failure": failure} if failure else {}))


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as a CSV file; its columns are the keys of all rows, an empty cell stands for a key that a row lacks."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def list_studies(outputs: Path) -> list[StudyDir]:
    """Every study below `outputs`, the latest at the end: ids begin with the time."""
    rows = sorted((row for row in listed(outputs) if row.kind == STUDY), key=lambda row: row.id)
    return [StudyDir((outputs / row.folder / row.id).absolute()) for row in rows]


def study_to_resume(text: str, outputs: Path, verb: str) -> StudyDir:
    """As `find_study`, of this verb. Raises ConfigError for another."""
    study = find_study(text, outputs)
    if study.record().get("verb") != verb:
        raise ConfigError(f"{study.id} is no study of dlrun {verb}")
    return study


def find_study(text: str, outputs: Path) -> StudyDir:
    """The study meant by a path, the beginning of an id, a name (its latest study) or `-` (the latest of all).

    Raises UnknownNameError, also when a beginning is not unique.
    """
    if text != "-" and (Path(text) / "study.json").exists():
        return StudyDir(Path(text).absolute())
    studies = list_studies(outputs)
    named = [study for study in studies if text in ("-", study.path.parent.name)]
    matching = named[-1:] or [study for study in studies if study.id.startswith(text)]
    if len(matching) > 1:
        raise UnknownNameError(f"{text!r} is the beginning of {len(matching)} studies", expected="a unique one")
    if not matching:
        known = [name for study in studies for name in (study.id, study.path.parent.name)]
        raise UnknownNameError(
            f"there is no study {text!r} under {outputs}/",
            expected="a study's path, the beginning of its id, a config's name, or - for the latest",
            hint=did_you_mean(text, known),
        )
    return matching[0]


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
