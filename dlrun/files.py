"""Files written whole or not at all, and how paths, numbers and foreign errors are shown."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shlex
import shutil
import stat
from pathlib import Path
from typing import Any

from dlrun.errors import CONTROLS, RunDirError

TRASH = ".trash-"  # begins the names of what is being removed


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text, as UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file whole or not at all: temporary name, flush, rename. Raises RunDirError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise RunDirError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def expand_home(text: str | Path) -> Path:
    """The path with the home folder in place of `~`; as it is when there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def make_folder(path: Path) -> Path:
    """The folder, made if it is not there. Raises RunDirError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise RunDirError(f"the folder {path} cannot be written: {error.strerror}") from error
    return path


def json_text(value: Any) -> str:
    """A value as JSON; NaN and infinities, which JSON has not, become null; paths become text."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str, allow_nan=False) + "\n"
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # JSON lets some controls stand as they are


def write_json(path: Path, value: Any) -> None:
    """`write_text` for a JSON value."""
    write_text(path, json_text(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def short(path: Path) -> str:
    """A path relative to the current folder when it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def typed(path: Path) -> str:
    """A path as it stands in a command that is shown: `short`, in quotes where the shell wants them."""
    return shlex.quote(short(path))


def number(value: float | None) -> str:
    """A measured value: four decimals when it is small, fewer the larger it is; None, as in JSON, is not a number.

    From a billion on, as of a run that diverges, powers of ten: 1.235e+27.
    """
    if value is None:
        return "nan"
    if abs(value) >= 1e9:
        return f"{value:.3e}"
    digits = 4 if abs(value) < 100 else 1 if abs(value) < 10_000 else 0
    return f"{value:,.{digits}f}"


def first_line(error: BaseException) -> str:
    """The first line of an error's message that is not empty, or the error's type."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def discard(path: Path) -> None:
    """Remove a file, link or directory. It gets a hidden name first, so that a kill leaves it whole, or nothing that
    looks like it; `empty_trash` takes away what is left. Raises RunDirError.
    """
    trash = path.with_name(f"{TRASH}{path.name}-{secrets.token_hex(3)}")
    try:
        path.rename(trash)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunDirError(f"{path} cannot be removed: {error.strerror}") from error
    _remove(trash)
    if os.path.lexists(trash):
        raise RunDirError(f"{path} was removed in part: the rest lies in {trash}")


def empty_trash(folder: Path) -> None:
    """Remove what killed processes have left in a folder of what they wanted to `discard`."""
    for path in folder.glob(f"{TRASH}*"):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def disk_bytes(path: Path) -> int:
    """What a file, or a directory with all that lies in it, takes of the disk."""
    try:
        found = path.lstat()
        inside = [Path(entry) for entry in os.scandir(path)] if stat.S_ISDIR(found.st_mode) else []
    except OSError:
        return 0
    return found.st_blocks * 512 + sum(map(disk_bytes, inside))
