"""Image files where they lie: a folder or a zip archive, read in place."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from dlrun.data._archives import open_zip
from dlrun.errors import DataError, listing
from dlrun.files import first_line

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp")
MOST_FILE_BYTES = 256 * 2**20  # of one image file, unpacked
MOST_DEPTH = 16  # folders below the one that was named
DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)


class Files:
    """Files that were named one by one, as `Folder`; their names are their paths."""

    path = Path()

    def read(self, name: str) -> bytes:
        """The content of a file, one byte more than `MOST_FILE_BYTES` at most. Raises OSError."""
        with Path(name).open("rb") as file:
            return file.read(MOST_FILE_BYTES + 1)

    def place(self, name: str) -> str:
        """How messages call a file."""
        return name


class Folder:
    """The files below a folder; `names` are relative, with `/`, in natural order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Path] = {}
        try:
            self._collect(path, "", set())
        except OSError as error:
            raise DataError(f"{error.filename or path} cannot be read: {error.strerror}") from error
        self.names = sorted(self._files, key=natural)

    def read(self, name: str) -> bytes:
        """The content of a file, one byte more than `MOST_FILE_BYTES` at most. Raises OSError."""
        path = self._files[name]
        if path.exists() and not path.is_file():  # a named pipe would wait for ever
            raise OSError("it is no file")
        with path.open("rb") as file:
            return file.read(MOST_FILE_BYTES + 1)

    def marks(self, names: Iterable[str]) -> list[list[object]]:
        """What tells each file from another state of it: name, size, time of change."""
        found: list[list[object]] = [[str(self.path.absolute())]]
        for name in names:
            try:
                state = self._files[name].stat()
                found.append([name, state.st_size, state.st_mtime_ns])
            except OSError:  # a dangling link: decoding will name it
                found.append([name, None, None])
        return found

    def place(self, name: str) -> str:
        """How messages call a file."""
        return str(self.path / name)

    def _collect(self, folder: Path, prefix: str, above: set[Path]) -> None:
        real = folder.resolve()
        if real in above or len(above) > MOST_DEPTH:  # a link that leads back
            return
        for path in folder.iterdir():
            if path.name.startswith("."):
                continue
            if path.is_dir():
                self._collect(path, f"{prefix}{path.name}/", above | {real})
            else:
                self._files[f"{prefix}{path.name}"] = path


class Archive:
    """The files in a zip archive, as `Folder`. Nothing is unpacked to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = open_zip(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
        except DAMAGED as error:
            raise _no_archive(path, error) from error
        self._members = {
            member.filename: member
            for member in self._zip.infolist()
            if not member.is_dir() and not _is_hidden(member.filename)
        }
        self.names = sorted(self._members, key=natural)

    def read(self, name: str) -> bytes:
        """The content of a file, one byte more than `MOST_FILE_BYTES` at most. Raises one of DAMAGED."""
        with self._zip.open(self._members[name]) as file:
            return file.read(MOST_FILE_BYTES + 1)

    def marks(self, names: Iterable[str]) -> list[list[object]]:
        """What tells each file from another: name, size, check sum."""
        return [[name, self._members[name].file_size, self._members[name].CRC] for name in names]

    def place(self, name: str) -> str:
        """How messages call a file."""
        return f"{self.path}: {name}"


Stored = Folder | Archive
Source = Stored | Files


def open_source(path: Path) -> Stored:
    """The folder or zip archive at `path`. Raises DataError when it is neither."""
    return Folder(path) if path.is_dir() else Archive(path)


def image_names(source: Stored) -> tuple[list[str], list[str]]:
    """The names of image files, and of all others. Raises DataError when there is no image at all."""
    images = [name for name in source.names if name.lower().endswith(SUFFIXES)]
    others = [name for name in source.names if not name.lower().endswith(SUFFIXES)]
    if not source.names:
        what = "folder" if isinstance(source, Folder) else "archive"
        raise DataError(f"{source.path}: the {what} is empty", expected="image files in a folder for each class")
    if not images:
        raise DataError(
            f"{source.path}: there are no images",
            received=f"{len(others):,} other files: {listing(others, 3)}",
            expected=f"files that end in {listing(SUFFIXES)}",
        )
    return images, others


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts `cat.2.jpg` before `cat.10.jpg`; numbers may have any length."""
    parts = re.split(r"([0-9]+)", name)
    digits = [part.lstrip("0") for part in parts]
    return [(0, len(digits[place]), digits[place]) if place % 2 else (1, 0, part) for place, part in enumerate(parts)]


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.split("/"))


def _no_archive(path: Path, error: BaseException) -> DataError:
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
    if packed:
        return DataError(f"{path}: the zip archive is damaged: {first_line(error)}", hint="get it anew")
    return DataError(f"{path} is neither a folder nor a zip archive", expected="a folder of images, or a .zip of one")
