"""Prepared data kept in a folder, so that a run need not prepare what another has; large arrays are mapped.

An entry is `KEY.bin` (arrays one after the other), `KEY.json` (what they are, and when last used: its time of change)
and `KEY.lock`, held while the entry is read, written or removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
import zlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

import dlrun
from dlrun.data._folders import files_below
from dlrun.errors import DataError
from dlrun.files import json_text

FORMAT = 2  # of the cache, and of what is prepared; another one is another key
PATIENCE_SECONDS = 3600.0  # while another process prepares the same data
LIMIT_GB = 20.0
MEMORY_BYTES = 2 * 2**30  # larger entries are mapped
WORTH_BYTES = 2**20  # smaller files are read anew each time
STALE_SECONDS = 86_400.0  # after which a file that was never finished is removed
UNUSABLE = (OSError, Timeout, NotImplementedError)  # of the cache folder

# Yields pieces of arrays by name, those of one array in succession; returns further facts as JSON values.
Chunks = Generator[tuple[str, np.ndarray], None, dict[str, Any]]


@dataclass(frozen=True)
class Entry:
    """Prepared arrays by name, and further facts."""

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


def cache_folder() -> Path:
    """Where prepared data is kept: `$DLRUN_CACHE`, or `~/.cache/dlrun`."""
    return Path(os.environ.get("DLRUN_CACHE") or "~/.cache/dlrun").expanduser()


def limit_bytes() -> float:
    """How large the cache may become: `$DLRUN_CACHE_LIMIT_GB` or 20 GB. Raises DataError when that is no number."""
    wish = os.environ.get("DLRUN_CACHE_LIMIT_GB") or str(LIMIT_GB)
    try:
        limit = float(wish)
    except ValueError:
        limit = math.nan
    if not limit >= 0:
        raise DataError("$DLRUN_CACHE_LIMIT_GB is no size", received=wish, expected="a number of gigabytes, such as 20")
    return limit * 1e9


def cached(kind: str, key: Any, make: Callable[[], Chunks], memory_bytes: int = MEMORY_BYTES) -> Entry:
    """What `make` makes, from the cache or through it. `key` (JSON values) says what it is made of.

    Entries above `memory_bytes` stay in the file, as read-only `numpy.memmap`. Raises one of UNUSABLE when the folder
    cannot keep it.
    """
    limit = limit_bytes()
    text = json.dumps([FORMAT, dlrun.__version__, kind, key])
    data = cache_folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.bin"
    data.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(data.with_suffix(".lock"), timeout=PATIENCE_SECONDS):
        entry = _load(data, memory_bytes)
        if entry is None:
            _write(data, make())
            entry = _load(data, memory_bytes)
            _prune(data, limit)
        if entry is None:
            raise OSError("what was written is not what is read")
        return entry


def cached_if_worth(kind: str, sources: Sequence[Path], key: Any, make: Callable[[], Chunks]) -> Entry:
    """As `cached`, of files or folders and options; what is small is made anew, as is all without a usable folder."""
    with contextlib.suppress(*UNUSABLE):
        states = [_state(source) for source in sources]
        if sum(size for size, _ in states) >= WORTH_BYTES:
            return cached(kind, [[str(source) for source in sources], states, key], make)
    return in_memory(make())


def in_memory(chunks: Chunks) -> Entry:
    """What `cached` gives, without a file."""
    parts: dict[str, list[np.ndarray]] = {}
    while True:
        try:
            name, chunk = next(chunks)
        except StopIteration as end:
            return Entry({name: np.concatenate(found) for name, found in parts.items()}, end.value)
        parts.setdefault(name, []).append(chunk)


def cache_size() -> tuple[int, int]:
    """The number of entries, and the bytes of all files in the folder."""
    files = [path for path in cache_folder().rglob("*") if path.is_file()]
    return sum(path.suffix == ".bin" for path in files), sum(path.stat().st_size for path in files)


def _state(source: Path) -> tuple[int, str]:
    """Bytes, and what tells a file from another state of it (its content), or a folder (names, sizes, times)."""
    if not source.is_dir():
        with source.open("rb") as file:
            return source.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
    size, mark = 0, hashlib.sha256()
    for path in sorted(files_below(source)):
        state = path.stat()
        size += state.st_size
        mark.update(f"{path.relative_to(source)}\0{state.st_size} {state.st_mtime_ns}\0".encode(errors="replace"))
    return size, mark.hexdigest()


def _load(data: Path, memory_bytes: int) -> Entry | None:
    """What the cache holds; None when it holds nothing, or nothing that is whole."""
    facts_file = data.with_suffix(".json")
    try:
        found = json.loads(facts_file.read_text(encoding="utf-8"))
        layout = {name: (np.dtype(kind), tuple(shape)) for name, kind, shape in found["arrays"]}
        size, check, facts = int(found["bytes"]), int(found["crc32"]), dict(found["facts"])
        if data.stat().st_size != size or _check_sum(data) != check:
            return None
        os.utime(facts_file)  # used now
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    arrays, offset = {}, 0
    for name, (kind, shape) in layout.items():
        count = math.prod(shape) * kind.itemsize
        # An empty array cannot be mapped.
        mapped = np.memmap(data, kind, "r", offset, shape) if count else np.empty(shape, kind)
        arrays[name] = np.array(mapped) if size <= memory_bytes else mapped
        offset += count
    return Entry(arrays, facts)


def _write(data: Path, chunks: Chunks) -> None:
    """Write an entry piece by piece. Raises OSError when it cannot be written."""
    temporary = data.with_name(f".{data.name}.{os.getpid()}.tmp")
    layout: dict[str, tuple[str, list[int]]] = {}
    size = check = 0
    try:
        with temporary.open("wb") as file:
            while True:
                try:
                    name, chunk = next(chunks)
                except StopIteration as end:
                    facts = end.value
                    break
                kind, shape = layout.setdefault(name, (chunk.dtype.str, [0, *chunk.shape[1:]]))
                if (kind, shape[1:], name) != (chunk.dtype.str, list(chunk.shape[1:]), list(layout)[-1]):
                    raise ValueError(f"a piece of {name} is not like those before it, or comes late")
                shape[0] += len(chunk)
                content = np.ascontiguousarray(chunk).tobytes()
                file.write(content)
                size, check = size + len(content), zlib.crc32(content, check)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(data)
    finally:
        temporary.unlink(missing_ok=True)
    arrays = [[name, *found] for name, found in layout.items()]
    _write_facts(data.with_suffix(".json"), {"arrays": arrays, "bytes": size, "crc32": check, "facts": facts})


def _write_facts(path: Path, facts: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json_text(facts), encoding="utf-8")
    temporary.replace(path)


def _check_sum(data: Path) -> int:
    check = 0
    with data.open("rb") as file:  # not through the map, whose pages would count as memory of this process
        while content := file.read(2**24):
            check = zlib.crc32(content, check)
    return check


def _prune(kept: Path, limit: float) -> None:
    """Remove the entries that were used longest ago until the rest fits; never `kept`, nor one that is locked.

    A process that has mapped an entry keeps its content: the file is gone from the folder only.
    """
    entries = [(_last_use(path), path.stat().st_size, path) for path in kept.parent.glob("*.bin")]
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total > limit and path != kept:
            with contextlib.suppress(OSError, Timeout), FileLock(path.with_suffix(".lock"), timeout=0):
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink()
                total -= size
    for path in kept.parent.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()


def _last_use(data: Path) -> float:
    facts = data.with_suffix(".json")
    return (facts if facts.exists() else data).stat().st_mtime
