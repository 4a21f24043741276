"""Why two runs of one config need not have the same bits: what is not the same, and what is not promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun import environment
from dlrun.run_dir import RunDir

_SETTLED = ("execution", "jit_compile", "deterministic", "precision")
_SET_BY_DLRUN = "--xla_gpu_deterministic_ops=true"  # for JAX, by runtime.deterministic, which is compared itself
_OF_A_SESSION = ("versions", "device", "threads")


def reasons(run: RunDir, repetition: RunDir) -> list[str]:
    """One line for each reason; empty when the repetition must have the same bits. Raises RunDirError."""
    before, now = run.record(), repetition.record()
    found = _different("", before.get("versions"), now.get("versions"))
    found += [f"{name}: {then} then, {there} now" for name, then, there in _places(before, now) if then != there]
    found += _different("variable ", _variables(before), _variables(now))
    found += _different("", _code_of_dlrun(before), _code_of_dlrun(now))
    threads, cores = now.get("threads"), environment.available_cores()
    if isinstance(threads, int) and threads > cores:
        found.append(f"{threads} threads on {cores} core{'s' if cores > 1 else ''}")
    on_gpu = not str(now.get("device")).endswith("CPU")  # "2 x CPU" with a strategy
    return [*found, *_of_runtime(run, repetition, on_gpu=on_gpu), *_of_sessions(before)]


def _places(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Where two runs computed: name, then, now. What one of the records does not tell is left out."""
    places = []
    for record in (before, now):
        machine = record.get("machine")
        facts = machine if isinstance(machine, Mapping) else {}
        found = {"device": record.get("device"), "processor": facts.get("cpu"), "driver": facts.get("nvidia_driver")}
        places.append({**found, "threads": record.get("threads")})
    then, there = places
    return [(name, then[name], there[name]) for name in then if None not in (then[name], there[name])]


def _variables(record: Mapping[str, Any]) -> dict[str, str] | None:
    """The variables that steer libraries, as the user has set them; None when the record does not tell."""
    variables = record.get("variables")
    if not isinstance(variables, Mapping):
        return None
    told = {str(name): str(value).replace(_SET_BY_DLRUN, "").strip() for name, value in variables.items()}
    return {name: value for name, value in told.items() if value}


def _code_of_dlrun(record: Mapping[str, Any]) -> dict[str, str] | None:
    """The commit of the repository that dlrun lies in, and its uncommitted changes; None for an installed dlrun."""
    repositories = record.get("git")
    for state in repositories if isinstance(repositories, list) else []:
        if isinstance(state, Mapping) and "dlrun" in (state.get("of") or []):
            patch = state.get("patch")
            changes = str(patch.get("sha256"))[:10] if isinstance(patch, Mapping) else "none"
            return {"commit of dlrun": str(state.get("commit"))[:10], "uncommitted changes of dlrun": changes}
    return None


def _of_runtime(run: RunDir, repetition: RunDir, *, on_gpu: bool) -> list[str]:
    """Reasons in how the two compute, as their configs say once settled."""
    from dlrun.config.loading import load_config  # not needed by who only compares

    before, now = (load_config(one.config_file).runtime for one in (run, repetition))
    found = _different("runtime.", before.model_dump(include=set(_SETTLED)), now.model_dump(include=set(_SETTLED)))
    if now.deterministic is not True:
        where = "on a GPU" if on_gpu else f"on {now.threads} threads"
        found.append(f"runtime.deterministic is off, so some operations add up in any order {where}")
    if now.jit_compile is True and on_gpu:
        found.append("XLA (runtime.jit_compile) chooses the kernels of a GPU by measuring them")
    return found


def _of_sessions(record: Mapping[str, Any]) -> list[str]:
    """Reasons in how a run was resumed."""
    sessions, resume = record.get("sessions"), record.get("resume")
    found = []
    for number, session in enumerate(sessions if isinstance(sessions, list) else [], 1):
        changed = [name for name in _OF_A_SESSION if number > 1 and isinstance(session, Mapping) and name in session]
        if changed:
            found.append(f"it went on, in its session {number}, with other {' and '.join(changed)}")
    if isinstance(resume, Mapping) and resumed_inexactly(record):
        why = resume.get("reasons")
        found.append("it was resumed, not exactly: " + "; ".join(map(str, why if isinstance(why, list) else [why])))
    return found


def resumed_inexactly(record: Mapping[str, Any]) -> bool:
    """Whether a run went on, and not exactly. One that cannot go on exactly is marked before it is ever stopped."""
    sessions, resume = record.get("sessions"), record.get("resume")
    never_stopped = isinstance(sessions, list) and len(sessions) == 1
    return isinstance(resume, Mapping) and resume.get("exact") is False and not never_stopped


def _different(title: str, before: object, now: object) -> list[str]:
    """Keys of two mappings whose values differ, one line each; none when one of them is not known."""
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return []
    return [
        f"{title}{key}: {before.get(key, 'absent')} then, {now.get(key, 'absent')} now"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
