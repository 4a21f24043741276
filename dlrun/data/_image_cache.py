"""Decoded images kept in a folder, so that a run need not decode what another has; large ones are mapped."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from dlrun.data._image_decoding import Look, decode_all
from dlrun.data._image_files import Stored
from dlrun.errors import DataError
from dlrun.files import json_text

FORMAT = 1  # of the cache; another one is another key
PATIENCE_SECONDS = 3600.0  # while another process decodes the same images


@dataclass(frozen=True)
class Decoded:
    """Images `(rows, height, width, channels)`, uint8, of all names but the unreadable, and why those are."""

    images: np.ndarray
    unreadable: dict[str, str]


def cache_folder() -> Path:
    """Where prepared data is kept: `$DLRUN_CACHE`, or `~/.cache/dlrun`."""
    return Path(os.environ.get("DLRUN_CACHE") or "~/.cache/dlrun").expanduser() / "images"


def decoded_images(source: Stored, names: Sequence[str], look: Look, memory_bytes: int) -> Decoded:
    """The images of these files, from the cache or decoded into it.

    More than `memory_bytes` stay in the file and come as a read-only `numpy.memmap`. Without a folder that can be
    written, they are decoded into memory. Raises DataError when they are too many for that.
    """
    key = hashlib.sha256(json.dumps([FORMAT, look.state(), source.marks(names)]).encode()).hexdigest()[:32]
    data = cache_folder() / f"{key}.u8"
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(data.with_suffix(".lock"), timeout=PATIENCE_SECONDS):
            return _load(data, look, memory_bytes) or _fill(data, source, names, look, memory_bytes)
    except (OSError, Timeout, NotImplementedError) as error:
        needed = len(names) * look.bytes
        if needed > memory_bytes:
            raise DataError(
                f"{source.path}: {len(names):,} images of {look.height} x {look.width} need {needed >> 20:,} MiB, and "
                f"the cache folder {data.parent} cannot keep them: {getattr(error, 'strerror', None) or error}",
                hint="name another folder in $DLRUN_CACHE, or make the images smaller",
            ) from error
    return _decode_into_memory(source, names, look)


def _load(data: Path, look: Look, memory_bytes: int) -> Decoded | None:
    """What the cache holds; None when it holds nothing, or nothing that is whole."""
    try:
        facts = json.loads(data.with_suffix(".json").read_text(encoding="utf-8"))
        rows, check, unreadable = int(facts["rows"]), int(facts["crc32"]), dict(facts["unreadable"])
        if data.stat().st_size != rows * look.bytes or _check_sum(data) != check:
            return None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    images: np.ndarray = np.empty((0, *look.shape), "uint8")
    if rows:  # an empty file cannot be mapped
        images = np.memmap(data, "uint8", "r", shape=(rows, *look.shape))
    if rows * look.bytes <= memory_bytes:
        images = np.array(images)
    return Decoded(images, unreadable)


def _fill(data: Path, source: Stored, names: Sequence[str], look: Look, memory_bytes: int) -> Decoded:
    """Decode into the cache, one image after the other, and load it. Raises OSError when it cannot be written."""
    rows, check, unreadable = 0, 0, {}
    temporary = data.with_name(f".{data.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            for name, found in zip(names, decode_all(source, names, look), strict=True):
                if isinstance(found, str):
                    unreadable[name] = found
                    continue
                content = found.tobytes()
                file.write(content)
                check = zlib.crc32(content, check)
                rows += 1
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(data)
        _write_facts(data.with_suffix(".json"), {"rows": rows, "crc32": check, "unreadable": unreadable})
    finally:
        temporary.unlink(missing_ok=True)
    loaded = _load(data, look, memory_bytes)
    if loaded is None:
        raise OSError("what was written is not what is read")
    return loaded


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


def _decode_into_memory(source: Stored, names: Sequence[str], look: Look) -> Decoded:
    images = np.empty((len(names), *look.shape), "uint8")
    rows, unreadable = 0, {}
    for name, found in zip(names, decode_all(source, names, look), strict=True):
        if isinstance(found, str):
            unreadable[name] = found
        else:
            images[rows] = found
            rows += 1
    return Decoded(images[:rows], unreadable)
