"""Whether a run that goes on will equal one that was never stopped, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from dlrun.engine.callback_state import unsaved_state
from dlrun.events import Note, OnEvent
from dlrun.run_dir import RunDir

_OTHER_BACKENDS = {"tensorflow": ("jax", "jaxlib"), "jax": ("tensorflow",)}  # what a run on a backend does not use


def tell_inexact_resume(
    run: RunDir, emit: OnEvent, callbacks: Sequence[keras.callbacks.Callback], *, resumed: bool
) -> None:
    """Say before training why a run that goes on from a checkpoint of this run will not equal one that was never
    stopped, or why this one that goes on does not; the reasons are kept in `run.json`, under `resume`.
    """
    record = run.record()
    earlier = _mapping(record.get("resume")).get("reasons")
    known = list(map(str, earlier)) if isinstance(earlier, list) else []
    found = unsaved_state(callbacks)
    if resumed:
        found += differences_between_sessions(record, keras.backend.backend())
    if found:
        run.update(resume={"exact": False, "reasons": list(dict.fromkeys([*known, *found]))})
        what = "this resume is" if resumed else "a resume of this run would be"
        emit(Note(f"{what} not exact: {'; '.join(found)}"))


def differences_between_sessions(record: Mapping[str, Any], backend: str) -> list[str]:
    """What of versions, device, threads and processor is not as in the first session of a run; `record` is `run.json`.

    The last of its `sessions` holds those facts that differ from the record's own. Such a difference may change the
    last bits of what an epoch computes.
    """
    sessions = record.get("sessions")
    now = _mapping(sessions[-1]) if isinstance(sessions, list) and sessions else {}
    pairs = [(key, record.get(key), now[key]) for key in ("device", "threads") if key in now]
    if "machine" in now:
        pairs.append(("processor", _mapping(record.get("machine")).get("cpu"), _mapping(now["machine"]).get("cpu")))
    if "versions" in now:
        before, after = _mapping(record.get("versions")), _mapping(now["versions"])
        names = [name for name in dict.fromkeys([*before, *after]) if name not in _OTHER_BACKENDS[backend]]
        pairs += [(name, before.get(name, "absent"), after.get(name, "absent")) for name in names]
    return [f"{name} {before} then, {after} now" for name, before, after in pairs if before != after]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
