"""Archives and special files looked at before they are read: what they may ask for, and where their members lie."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from dlrun.errors import DataError

MOST_RATIO = 200  # unpacked to packed size of an archive; images and texts have 1 to 10, arrays of zeros more
FREE_BYTES = 256 * 2**20  # up to which the ratio does not matter
MOST_PIECE = 64 * 2**20  # read from a tar archive at once, such as a name of a member
_SPECIAL = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_PACKED = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
# A bzip2 or LZMA block unpacks whole, whatever its size, so four kilobytes could ask for gigabytes.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_plain(path: Path) -> None:
    """Raises DataError for what is there and is neither file nor folder: reading it might wait, or go on, for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # not there: whoever opens it says so
        return
    for is_special, what in _SPECIAL.items():
        if is_special(mode):
            raise DataError(
                f"{path} is {what}, not a file", hint="write what comes from it into a file, and name that file"
            )


def check_inside(place: Path | str, name: str) -> None:
    """Raises DataError for the name of a member that leads out of the archive."""
    if name.startswith("/") or "\\" in name or name[1:3] == ":/" or ".." in PurePosixPath(name).parts:
        raise DataError(f"{place}: the name {name!r} leads out of the archive", hint="pack it anew")


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip archive whose members are packed as usual, lie inside, and do not grow beyond measure.

    Raises DataError when they do not, and what `zipfile.ZipFile` raises.
    """
    check_plain(path)
    archive = zipfile.ZipFile(path)
    try:
        members = archive.infolist()
        for member in members:
            check_inside(path, member.filename)
            if member.compress_type not in _METHODS:
                raise DataError(
                    f"{path}: {member.filename} is packed in a way that dlrun does not read",
                    expected="stored or deflated, as zip programs do unless told otherwise",
                    hint="unpack it, or pack it anew",
                )
            _check_growth(f"{path}: {member.filename}", member.file_size, member.compress_size)
        _check_growth(str(path), sum(m.file_size for m in members), sum(m.compress_size for m in members))
    except BaseException:
        archive.close()
        raise
    return archive


def _check_growth(what: str, unpacked: int, packed: int) -> None:
    if unpacked > max(FREE_BYTES, MOST_RATIO * packed):
        raise DataError(
            f"{what} would grow from {_size(packed)} to {_size(unpacked)}, which no data does",
            expected=f"at most {MOST_RATIO} times its size, or {_size(FREE_BYTES)}",
            hint="if it is what it should be, store its content without compression (numpy.savez, zip -0)",
        )


@contextmanager
def open_tar(path: Path, most_bytes: int) -> Iterator[tarfile.TarFile]:
    """A tar archive, packed or not, of which `most_bytes` are unpacked at most.

    Raises DataError when it is larger, and what `tarfile` and the unpackers raise.
    """
    check_plain(path)
    with path.open("rb") as file:
        opener: Any = _PACKED.get(file.read(2))
    unpacked: Any = opener(path) if opener else path.open("rb")
    with unpacked, tarfile.open(fileobj=_Bounded(unpacked, path, most_bytes), mode="r:") as archive:  # type: ignore[call-overload]
        yield archive


class _Bounded:
    """A file of which neither a piece nor the whole is larger than memory and time allow."""

    def __init__(self, file: IO[bytes], path: Path, most_bytes: int) -> None:
        self.file, self.path, self.most_bytes = file, path, most_bytes
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        self._check(self.file.tell())
        if size > MOST_PIECE:
            raise DataError(f"{self.path}: the archive wants {_size(size)} at once", hint="unpack it, or pack it anew")
        return self.file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check(offset)
        return self.file.seek(offset, whence)

    def _check(self, position: int) -> None:
        if position > self.most_bytes:
            raise DataError(
                f"{self.path}: the archive unpacks to more than {_size(self.most_bytes)}",
                hint="unpack it and name the folder, if that is what it should be",
            )


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{-(-count // 2**20):,} MiB"
