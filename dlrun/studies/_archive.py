"""Which runs and studies are there, found again by what they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlrun.config.extending import read_config
from dlrun.config.identity import FORMAT, first_identities, identity, keys_of
from dlrun.config.loading import load_config
from dlrun.config.nodes import to_plain
from dlrun.config.schema import Config
from dlrun.data_places import find_data
from dlrun.environment import installed_versions
from dlrun.errors import DlrunError, RunDirError
from dlrun.run_dir import COMPLETED, FAILED, INTERRUPTED, RUNNING, RunDir, list_runs
from dlrun.studies import retrain
from dlrun.studies._study_dir import StudyDir, list_studies

_DECISIVE = ("dlrun", "keras", "tensorflow")  # versions that a run must share to be reused
_UNFINISHED = (RUNNING, INTERRUPTED)


class Archive:
    """The runs and studies under a folder, found again by what they are."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self._versions = self.versions()
        self._keys: dict[Path, set[str]] = {}  # of runs of the first format of identities
        self.refresh()

    @staticmethod
    def versions() -> dict[str, str | None]:
        """The versions that a run must share to be reused."""
        return {key: installed_versions().get(key) for key in _DECISIVE}

    def refresh(self) -> None:
        """Look again."""
        self._runs: dict[tuple[int, str], list[RunDir]] = {}
        self._studies: dict[str, list[StudyDir]] = {}
        self.records: dict[Path, dict[str, Any]] = {}
        for run in list_runs(self.outputs):
            try:
                record = run.record()
            except RunDirError:
                continue
            self.records[run.path] = record
            if {key: (record.get("versions") or {}).get(key) for key in _DECISIVE} == self._versions:
                key = record.get("identity_format", 1), str(record.get("identity"))
                self._runs.setdefault(key, []).append(run)
                if key[0] == 1 and run.path not in self._keys:
                    self._keys[run.path] = _keys_in(run)
        self._known = set[str]().union(*self._keys.values())
        for study in list_studies(self.outputs):
            try:
                if study.record().get("verb") != "kfold":
                    continue
                self._studies.setdefault(identity(load_config(study.config_file), study=True), []).append(study)
            except DlrunError:
                continue

    def run(self, config: Config) -> RunDir | None:
        """The run of this experiment on the data that is there: a completed one, else one that can go on."""
        keys = [(1, found) for found in first_identities(config, self._known)] if self._known else []
        equal = [run for key in (*keys, (FORMAT, identity(config))) for run in self._runs.get(key, [])]
        same = [run for run in equal if _same_files(self.records[run.path], config)]
        return _first(same, (COMPLETED, *_UNFINISHED))

    def study(self, config: Config) -> StudyDir | None:
        """The k-fold study of this experiment: a completed one, else one that can go on."""
        return _first(self._studies.get(identity(config, study=True), []), (COMPLETED, *_UNFINISHED, FAILED))

    def retrain_config(self, parent: RunDir) -> Config:
        """What `dlrun retrain` trains after a run."""
        return retrain.plan(parent, load_config(parent.config_file))[0]


def _keys_in(run: RunDir) -> set[str]:
    """The keys in the config of a run, none when it cannot be read."""
    try:
        return keys_of(to_plain(read_config(run.config_file)))
    except DlrunError:
        return set()


def _first(found: Iterable[Any], statuses: tuple[str, ...]) -> Any:
    """The latest of those with the first of these statuses that occurs."""
    by_status: dict[str, Any] = {}
    for one in found:
        try:
            by_status[one.status()] = one
        except RunDirError:
            continue
    return next((by_status[status] for status in statuses if status in by_status), None)


def _same_files(record: dict[str, Any], config: Config) -> bool:
    """Whether the files that the run has read are as large as those that are there now."""
    read = {one["name"]: one["bytes"] for one in (record.get("data") or {}).get("files") or []}
    there = {path.name: path.stat().st_size for path in find_data(config).found if path.is_file()}
    return all(read[name] == size for name, size in there.items() if name in read)
