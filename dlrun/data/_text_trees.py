"""Folders of text files by class, as folders or read in place from an archive."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from dlrun.data._archives import check_inside, open_tar, open_zip
from dlrun.data._folders import files_below
from dlrun.data._limits import read_limit, too_large
from dlrun.data._text_files import decode_text
from dlrun.errors import DataError, listing

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zip")
MOST_BYTES = 2 * 10**9  # of all texts, unpacked
MOST_TEXT_BYTES = 2**24  # of one text
MOST_TEXTS = 2_000_000
PARTS = {
    "train": "training",
    "training": "training",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
Names = tuple[str, ...]


def read_tree(path: Path, encoding: str) -> dict[Names, str]:
    """The text of each .txt file by the names of its folders and itself, in order of these; folders that all share are
    left out of the names. Raises DataError naming the file.
    """
    if path.is_dir():
        found = _read_folder(path, encoding)
    elif path.name.lower().endswith(ARCHIVES):
        found = _read_archive(path, encoding)
    else:
        raise DataError(
            f"{path}: this is no folder and no archive",
            expected=f"a folder with a folder per class, {listing(ARCHIVES)}",
        )
    if not found:
        raise DataError(f"{path}: there is no .txt file in it", expected="a folder per class with .txt files")
    while len({names[0] for names in found}) == 1 and max(map(len, found)) > 2:  # such as aclImdb/
        found = {names[1:]: text for names, text in found.items()}
    return dict(sorted(found.items()))


def _read_folder(path: Path, encoding: str) -> dict[Names, str]:
    found, size = dict[Names, str](), 0
    for file in files_below(path):
        names = file.relative_to(path).parts
        if not (file.name.lower().endswith(".txt") and _wanted(names)):
            continue
        try:
            length = file.stat().st_size
            size += length
            _check_size(path, "/".join(names), length, size, len(found))
            found[names] = decode_text(file.read_bytes(), file, encoding)
        except OSError as error:
            raise DataError(f"{file}: the file cannot be read: {error.strerror}") from error
    return found


def _read_archive(path: Path, encoding: str) -> dict[Names, str]:
    found, size = dict[Names, str](), 0
    with _damage_told(path):
        for name, length, content in _members(path):
            size += length
            _check_size(path, name, length, size, len(found))
            found[PurePosixPath(name).parts] = decode_text(content(), f"{path}: {name}", encoding)
    return found


def _check_size(path: Path, name: str, length: int, size: int, count: int) -> None:
    """Raises DataError when one text, or all so far, are more than memory should hold."""
    if length > MOST_TEXT_BYTES:
        raise DataError(f"{path}: {name} is too long for one text", expected=f"at most {MOST_TEXT_BYTES >> 20:,} MiB")
    limit = read_limit(MOST_BYTES)
    if size > limit:
        raise too_large(path, limit, "the texts together are larger")
    if count >= MOST_TEXTS:
        raise DataError(f"{path}: there are more than {MOST_TEXTS:,} texts, too many to be held in memory")


def _members(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Name, stated length and a reader of each text file."""
    if path.suffix.lower() == ".zip":
        with open_zip(path) as file:
            for info in file.infolist():
                if _is_text(info.filename):
                    yield info.filename, info.file_size, lambda info=info: file.read(info)
        return
    with open_tar(path, read_limit(MOST_BYTES)) as archive:
        for member in archive:
            check_inside(path, member.name)
            stream = archive.extractfile(member) if member.isreg() and _is_text(member.name) else None
            if stream:
                yield member.name, member.size, stream.read


def _is_text(name: str) -> bool:
    return name.lower().endswith(".txt") and _wanted(PurePosixPath(name).parts)


def _wanted(names: Names) -> bool:
    """Not hidden, and nothing that archivers of the Mac add."""
    return not any((name.startswith(".") and name != ".") or name == "__MACOSX" for name in names)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise DataError(f"{path}: the archive is damaged or cut short: {error}") from error
    except RecursionError as error:  # tarfile follows headers of headers
        raise DataError(f"{path}: the archive is damaged: its headers are nested too deeply") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
        raise DataError(f"{path}: the archive cannot be read: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: the archive cannot be read: {error.strerror or error}") from error
