"""What `dlrun show RUN` says of where a run comes from: code, packages, machine, data, sessions."""

from __future__ import annotations

from typing import Any

from rich.markup import escape


def provenance_rows(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and text for the facts in `run.json`; those that an older or damaged record has not are left out."""
    rows = [("code", escape(_repository(one))) for one in _mappings(record.get("git"))]
    versions = _mapping(record.get("versions"))
    rows.append(("versions", escape(", ".join(f"{name} {version}" for name, version in versions.items()))))
    rows.append(("device", escape(_device(record))))
    data = _mapping(record.get("data"))
    if data.get("content"):
        rows.append(("data", escape(f"content {_short(data['content'])}, split {_short(data.get('split'))}")))
    sessions = _mappings(record.get("sessions"))
    if len(sessions) > 1:
        rows.append(("sessions", escape("\n".join(map(_session, sessions)))))
    resume = _mapping(record.get("resume"))
    if resume.get("exact") is False:
        reasons = resume.get("reasons")
        told = "\n".join(map(str, reasons)) if isinstance(reasons, list) else "the reason is not recorded"
        rows.append(("resume", f"[yellow]not exact[/]: {escape(told)}"))
    if rollbacks := _mappings(record.get("rollbacks")):
        rows.append(("rolled back", escape("\n".join(map(_rollback, rollbacks)))))
    return rows


def _repository(facts: dict[str, Any]) -> str:
    """`5777c2e1 (main) with the changes in dirty.patch: current folder, dlrun`."""
    patch, branch = _mapping(facts.get("patch")), facts.get("branch")
    text = _short(facts.get("commit")) + (f" ({branch})" if branch else "")
    if patch:
        text += f" with the changes in {patch.get('file')}" + (", which is cut off" if patch.get("cut_off") else "")
    parts = facts.get("of")
    return text + (f": {', '.join(map(str, parts))}" if isinstance(parts, list) else "")


def _device(record: dict[str, Any]) -> str:
    machine = _mapping(record.get("machine"))
    text = f"{record.get('device')}, {record.get('threads')} threads, seed {record.get('seed')}"
    if machine:
        text += f"; {machine.get('cpu')}, {machine.get('cores')} cores, host {machine.get('host')}"
    return text + (f", NVIDIA driver {machine['nvidia_driver']}" if machine.get("nvidia_driver") else "")


def _session(facts: dict[str, Any]) -> str:
    """When it began and how it ended, and what was not as in the first session."""
    other = [
        name for name in ("folder", "device", "threads", "machine", "variables", "versions", "git") if name in facts
    ]
    text = f"{str(facts.get('started'))[:19]} {facts.get('status', 'without an end')}"
    return text + (f"; other {', '.join(other)}" if other else "")


def _rollback(facts: dict[str, Any]) -> str:
    """Where the loss was not finite, and the learning rate after that."""
    where = f"step {facts.get('step')} of epoch {facts.get('epoch')}"
    return f"not finite in {where}, then learning rate {facts.get('learning_rate')}"


def _short(digest: Any) -> str:
    return str(digest)[:8]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
