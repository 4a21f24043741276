"""A run directory: every path, file and status in it, and how runs are found again."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dlrun.errors import RunDirError, UnknownNameError, did_you_mean, listing
from dlrun.files import empty_trash, write_json, write_text
from dlrun.processes import alive, this_process
from dlrun.records import COMPLETED, FAILED, FORMAT, INTERRUPTED, PRUNED, RUNNING, read_json
from dlrun.run_index import RUN, Listed, listed, run_ids

__all__ = [
    "COMPLETED",
    "FAILED",
    "FORMAT",
    "INTERRUPTED",
    "PRUNED",
    "RUNNING",
    "RunDir",
    "find_run",
    "list_runs",
    "read_json",
]


class RunDir:
    """One run on disk. Paths are properties; `record` is the state in `run.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, outputs: Path, name: str) -> RunDir:
        """Claim `outputs/name/<time>-<6 hex digits>/`. Raises RunDirError."""
        for _ in range(20):
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
            path = outputs / name / f"{stamp}-{secrets.token_hex(3)}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise RunDirError(
                    f"the run directory {path} cannot be made: {error.strerror}", hint="choose a folder with --outputs"
                ) from error
            return cls(path.absolute())
        raise RunDirError(f"no free run directory under {outputs / name}")

    @classmethod
    def claim(cls, path: Path) -> RunDir:
        """Claim exactly this directory: new, empty, or left by a process that died claiming it. Raises RunDirError."""
        leftovers = {"config.yaml", "log.txt", "plugins", "packages.txt"}
        try:
            path.mkdir(parents=True, exist_ok=True)
            if {item.name for item in path.glob("[!.]*") if item.suffix != ".patch"} - leftovers:
                raise RunDirError(f"the run directory {path} is not empty", hint="name a new one, or --resume that run")
        except OSError as error:
            raise RunDirError(
                f"the run directory {path} cannot be made: {error.strerror}", hint="choose another --run-dir"
            ) from error
        return cls(path.absolute())

    @property
    def id(self) -> str:
        return self.path.name

    config_file = property(lambda self: self.path / "config.yaml")
    record_file = property(lambda self: self.path / "run.json")
    metrics_file = property(lambda self: self.path / "metrics.json")
    history_file = property(lambda self: self.path / "history.csv")
    timing_file = property(lambda self: self.path / "timing.csv")
    log_file = property(lambda self: self.path / "log.txt")
    packages_file = property(lambda self: self.path / "packages.txt")
    preprocess = property(lambda self: self.path / "preprocess")
    checkpoint = property(lambda self: self.path / "checkpoint")
    trained_config_file = property(lambda self: self.checkpoint / "config.yaml")  # what the checkpoints belong to
    tensorboard = property(lambda self: self.path / "tensorboard")
    plots = property(lambda self: self.path / "plots")
    evaluations = property(lambda self: self.path / "evaluations")
    predictions = property(lambda self: self.path / "predictions")
    artefacts = property(lambda self: self.path / "artefacts")
    estimator_file = property(lambda self: self.path / "estimator.skops")
    plugins = property(lambda self: self.path / "plugins")

    def model_file(self, which: str, name: str = "") -> Path:
        """`best.keras` or `last.keras`; with a sub-model's name `best-<name>.keras`. The estimator of a run without
        epochs, where there is one.
        """
        if self.estimator_file.exists():
            return Path(self.estimator_file)
        return self.path / (f"{which}-{name}.keras" if name else f"{which}.keras")

    def epochs_begun(self) -> int:
        """The epochs that the newest checkpoint holds, the one it lies in counted; 0 when there is no checkpoint."""
        names = [path.name.partition("-") for path in self.checkpoint.glob("[0-9]" * 6 + "*")]
        return max((int(epochs) + bool(inside) for epochs, inside, _ in names), default=0)

    def patch_file(self, number: int) -> Path:
        """`dirty.patch`, what was not committed; `dirty-<number>.patch` from the second on."""
        return self.path / (f"dirty-{number}.patch" if number > 1 else "dirty.patch")

    @contextmanager
    def owned(self, *, new: bool) -> Iterator[None]:
        """Hold the run's lock; the system frees it when the process ends, however it ends.

        Raises RunDirError when another process works on the run, a `new` run has been started meanwhile, or the
        directory cannot be written.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunDirError(f"another process is working on the run {self.id}") from error
        except OSError as error:
            raise RunDirError(f"the run {self.path} cannot be written: {error.strerror}") from error
        try:
            if new and self.record_file.exists():
                raise RunDirError(f"another process has started a run in {self.path}", hint="name a new directory")
            self._remove_half_written()
            yield
        finally:
            lock.release()

    def _remove_half_written(self) -> None:
        """Remove what a process has left that died while writing or removing."""
        empty_trash(self.path)
        for folder in (self.path, self.preprocess, self.checkpoint, self.evaluations):
            for path in folder.glob(".*.tmp*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def start(self, record: dict[str, Any]) -> None:
        """Write `run.json` for a run that begins or goes on, with the process that owns it now.

        The last of the `sessions` in the record is the one that begins.
        """
        old = ("ended", "resumable", "failure", "pruned", "removed")
        before = {key: value for key, value in record.items() if key not in old}
        now = datetime.now().astimezone().isoformat(timespec="microseconds")
        state = {"format": FORMAT, "id": self.id, "status": RUNNING, "process": this_process()}
        if sessions := record.get("sessions"):
            state["sessions"] = [*sessions[:-1], {"started": now, **sessions[-1]}]
        write_json(self.record_file, {"started": now, **before, **state})

    def record(self) -> dict[str, Any]:
        """What `run.json` says. Raises RunDirError."""
        record = read_json(self.record_file)
        if "status" not in record:
            raise RunDirError(f"{self.record_file} is not a run's record")
        return record

    def update(self, **fields: Any) -> None:
        """Change fields of `run.json`."""
        write_json(self.record_file, {**self.record(), **fields})

    def end(self, status: str, **fields: Any) -> None:
        """Set the final status; `completed` is the mark of success and is written last."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        if sessions := self.record().get("sessions"):
            fields["sessions"] = [*sessions[:-1], {**sessions[-1], "ended": now, "status": status}]
        self.update(status=status, ended=now, **fields)

    def status(self) -> str:
        """The status in `run.json`; a running run whose process is gone counts as interrupted."""
        record = self.record()
        if record["status"] == RUNNING and not alive(record.get("process") or {}):
            return INTERRUPTED
        return str(record["status"])

    def stages_began(self) -> list[int]:
        """How many epochs were done when each stage began that has begun; empty for a run without stages."""
        return [stage["began"] for stage in self.record().get("stages") or []]

    def started(self) -> str:
        """When the run was started, as ISO text; empty when its record is damaged."""
        try:
            return str(self.record().get("started", ""))
        except RunDirError:
            return ""

    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` says. Raises RunDirError."""
        metrics = read_json(self.metrics_file)
        if not isinstance(metrics.get("best"), dict):
            raise RunDirError(f"{self.metrics_file} is damaged")
        return metrics

    def write_history(self, rows: list[dict[str, float]], seconds: list[float]) -> None:
        """Rewrite `history.csv` (one row per epoch, counted from 1) and `timing.csv`, which never has more rows."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines: list[list[Any]] = [["epoch", *columns]]
        lines += [[number, *(row.get(name, "") for name in columns)] for number, row in enumerate(rows, 1)]
        with contextlib.suppress(OSError):
            self.timing_file.unlink()  # a run that goes on may have fewer rows than before
        _write_csv(self.history_file, lines)
        _write_csv(self.timing_file, [["epoch", "seconds"], *([n, round(s, 4)] for n, s in enumerate(seconds, 1))])

    def history(self) -> list[dict[str, float]]:
        """Rows of `history.csv`, epoch 1 first. Raises RunDirError."""
        timed = self._epochs_timed()  # before the rows, for a run that is under way writes it after them
        try:
            with self.history_file.open(encoding="utf-8", newline="") as stream:
                text = stream.read()
            rows = list(csv.DictReader(io.StringIO(text)))
            values = [{k: float(v) for k, v in row.items() if k != "epoch" and v != ""} for row in rows]
        except FileNotFoundError as error:
            raise RunDirError(f"{self.history_file} is missing", hint="no epoch was finished") from error
        except (OSError, ValueError, TypeError) as error:
            raise RunDirError(f"{self.history_file} cannot be read: {error}") from error
        if not text.endswith("\n") or len(values) < timed:
            raise RunDirError(f"{self.history_file} is cut off", hint="checkpoint/ has it, too: `dlrun train --resume`")
        return values

    def _epochs_timed(self) -> int:
        """The rows of `timing.csv`; 0 when it cannot be read."""
        try:
            return len(re.findall(r"^\d+,", self.timing_file.read_text(encoding="utf-8"), re.MULTILINE))
        except (OSError, ValueError):
            return 0


def _write_csv(path: Path, lines: Iterable[list[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_text(path, text.getvalue())


def list_runs(outputs: Path) -> Iterator[RunDir]:
    """Every run below `outputs`, the one that was started last at the end; first those that have lost their record."""
    return (run_at(outputs, row) for row in listed(outputs) if row.kind == RUN)


def run_at(outputs: Path, row: Listed) -> RunDir:
    """The run that was listed."""
    return RunDir((outputs / row.folder / row.id).absolute())


def find_run(text: str, outputs: Path) -> RunDir:
    """The run meant by a path, a unique prefix of an id, a name (its latest run) or `-` (the latest of all).

    Raises UnknownNameError, or RunDirError when a prefix is not unique.
    """
    path = Path(text)
    if text != "-" and (path / "run.json").exists():
        return RunDir(path.absolute())
    if (path / "study.json").exists():
        raise RunDirError(f"{path} is a study of several runs", hint=f"name one of them: dlrun runs {path.name}")
    if (path / "config.yaml").exists():
        raise RunDirError(f"{path / 'run.json'} is missing", hint="this run did not begin, or the file was removed")
    if text == "-":
        runs = [row for row in listed(outputs) if row.kind == RUN]
        if not runs:
            raise UnknownNameError(f"there is no run under {outputs}/ yet", hint="start one: dlrun train digits")
        return run_at(outputs, runs[-1])
    if named := [row for row in listed(outputs, text) if row.kind == RUN]:
        return run_at(outputs, named[-1])
    return _begins_with(text, outputs)


def _begins_with(text: str, outputs: Path) -> RunDir:
    """The only run whose id begins so. Raises UnknownNameError."""
    matching = run_ids(outputs, text)
    if len(matching) > 1:
        raise UnknownNameError(
            f"{text!r} is the beginning of {len(matching)} run ids",
            expected="a unique one: " + listing(sorted(one for _, one in matching), most=4),
        )
    if matching:
        return RunDir(outputs.joinpath(*matching[0]).absolute())
    known = [word for pair in run_ids(outputs) for word in pair]
    raise UnknownNameError(
        f"there is no run {text!r} under {outputs}/",
        expected="a run's path, the beginning of its id, a config's name, or - for the latest",
        hint=did_you_mean(text, known) or "`dlrun runs` lists them",
    )
