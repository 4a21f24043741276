"""Where a run comes from: what was asked, the code and packages it is done with, and on which machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dlrun
from dlrun import environment, machine
from dlrun.config.origins import config_files
from dlrun.config.scale import deviations
from dlrun.config.schema import Config
from dlrun.engine.resolve import builders, source_file
from dlrun.engine.session import Session
from dlrun.files import write_bytes, write_text
from dlrun.git import GitState, git_state, repository_root
from dlrun.run_dir import RunDir


def provenance(config: Config, session: Session, run: RunDir, about: Mapping[str, object]) -> dict[str, Any]:
    """The first content of `run.json`; packages and uncommitted changes are written beside it.

    `config` names the plugins where the user has them. Raises RunDirError.
    """
    states = _git_states(_code_folders(config))
    packages = f"# Python {environment.installed_versions()['python']}; pip install -r packages.txt\n"
    write_text(run.packages_file, packages + "\n".join([*machine.installed_packages(), ""]))
    return {
        "name": config.name,
        "description": config.description,
        **({"shortened": deviations(config)} if config.shortened else {}),
        **about,
        "config_files": [str(path) for path in config_files(config)],
        "seed": config.seed,
        "sample_data": config.data.sample,
        **_session_facts(session),
        "git": _keep_patches(states, run, 1),
        "builders": {key: str(source_file(builder)) for key, builder in builders(config).items()},
        "sessions": [_asked(about)],
        "test_readings": [],
        "notes": [],
    }


def another_session(
    record: Mapping[str, Any], session: Session, run: RunDir, about: Mapping[str, object]
) -> dict[str, Any]:
    """The content of `run.json` for a run that goes on: one session more, with what is not as in the first.

    Raises RunDirError.
    """
    before = [repository for repository in _list(record.get("git")) if isinstance(repository, dict)]
    folders = [(str(name), Path(str(one.get("root")))) for one in before for name in _list(one.get("of"))]
    states = _git_states([*folders, ("current folder", Path.cwd())])
    changed = {key: value for key, value in _session_facts(session).items() if value != record.get(key)}
    if {_identity(state.facts) for state in states} != {_identity(repository) for repository in before}:
        number = sum(1 for _ in run.path.glob("*.patch")) + 1
        changed["git"] = _keep_patches(states, run, number)
    return {**record, "sessions": [*_list(record.get("sessions")), {**_asked(about), **changed}]}


def _asked(about: Mapping[str, object]) -> dict[str, object]:
    return {"command": about["command"]} if "command" in about else {}


def _session_facts(session: Session) -> dict[str, Any]:
    """Where and with what a session computes, as JSON values."""
    return {
        "folder": str(Path.cwd()),
        "device": session.device_name,
        "threads": session.threads,
        "machine": machine.machine_facts(gpu=session.device.startswith("/GPU")),
        "variables": machine.steering_variables(),
        "versions": environment.installed_versions(),
    }


def _code_folders(config: Config) -> list[tuple[str, Path]]:
    """What the run's code and config are called, and the folders they lie in; not those of installed packages."""
    found = [("current folder", Path.cwd()), *(("config", path.parent) for path in config_files(config))]
    found += [(f"plugin {path.name}", path.parent) for path in config.plugins]
    found.append(("dlrun", Path(dlrun.__file__).parent))
    return [(name, folder) for name, folder in found if "site-packages" not in folder.parts]


def _git_states(folders: Iterable[tuple[str, Path]]) -> list[GitState]:
    """The repositories around these folders, each once; `of` tells what of the run lies in it."""
    roots: dict[Path, list[str]] = {}
    known = {folder: repository_root(folder) for folder in {folder for _, folder in folders}}
    for name, folder in folders:
        root = known[folder]
        if root is not None and name not in roots.setdefault(root, []):
            roots[root].append(name)
    found = [(git_state(root), names) for root, names in roots.items()]
    return [GitState({**state.facts, "of": names}, state.patch) for state, names in found if state]


def _keep_patches(states: Iterable[GitState], run: RunDir, number: int) -> list[dict[str, Any]]:
    """Write the patches into the run, numbered from `number`; the facts with the names of the files."""
    kept = []
    for state in states:
        facts = dict(state.facts)
        if "patch" in facts:
            file = run.patch_file(number)
            write_bytes(file, state.patch)
            facts["patch"] = {"file": file.name, **facts["patch"]}
            number += 1
        kept.append(facts)
    return kept


def _identity(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes two states of a repository the same."""
    patch = facts.get("patch")
    return (*(str(facts.get(key)) for key in ("root", "commit")), str(patch and patch.get("sha256")))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
