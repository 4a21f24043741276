"""`dlrun fetch`: the files of published datasets, downloaded for boxes that will be offline."""

from __future__ import annotations

import hashlib
import http.client
import importlib
import os
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlrun.data._sources import READ_SECONDS, DataContext, Download, keras_cache, unreachable
from dlrun.data_places import PUBLISHED, find_published
from dlrun.environment import import_keras
from dlrun.errors import DataError, UnknownNameError, did_you_mean, listing
from dlrun.files import make_folder

_BLOCK = 2**20


@dataclass(frozen=True)
class Fetched:
    """The files of a dataset: those that were there before, and those downloaded now."""

    dataset: str
    there: list[Path]
    downloaded: list[Path]


def check_names(datasets: list[str]) -> None:
    """Raises UnknownNameError for a dataset that has nothing to fetch."""
    for name in datasets:
        if name not in PUBLISHED:
            hint = did_you_mean(name, PUBLISHED) or "iris, wine, digits, ... come with scikit-learn and need no file"
            raise UnknownNameError(f"there is nothing to fetch for {name!r}", expected=listing(PUBLISHED), hint=hint)


def files_there(dataset: str, folder: Path | None) -> list[Path]:
    """The files of a dataset that are there already: anywhere, or in `folder` alone."""
    files = find_published(dataset, _context(folder))
    return [path for path in files if folder is None or path.is_relative_to(folder.absolute())]


def fetch(dataset: str, folder: Path | None, *, on_start: Callable[[str], None]) -> Fetched:
    """Download what is not there yet, into `<folder>/<dataset>/` or Keras' cache. Raises DataError, RunDirError.

    `on_start` hears the address of each file before it is downloaded.
    """
    there, downloaded = files_there(dataset, folder), []
    for name, download in downloads(dataset).items():
        found = _context(folder).find_file(name, dataset, download.cache_folder)
        if found and (folder is None or found.is_relative_to(folder.absolute())):
            there += [found] if found not in there else []
        elif not there or not _makes_the_dataset(name, dataset):
            path = (folder / dataset if folder else keras_cache() / download.cache_folder) / name
            on_start(download.url)
            _download(download, path)
            downloaded.append(path)
    return Fetched(dataset, there, downloaded)


def downloads(dataset: str) -> dict[str, Download]:
    """The published files of a dataset by name, as its own module states them."""
    import_keras("tensorflow", "cpu")
    found: list[object] = []
    for value in vars(importlib.import_module(f"dlrun.data.{dataset}")).values():
        found += value.values() if isinstance(value, dict) else [value]
    return {one.url.rpartition("/")[2]: one for one in found if isinstance(one, Download)}


def _context(folder: Path | None) -> DataContext:
    return DataContext(folders=[folder] if folder else [])


def _makes_the_dataset(name: str, dataset: str) -> bool:
    """Whether a file is one of those without which there is no dataset (a word index is not)."""
    return any(name in (file, f"{file}.gz") for group in PUBLISHED[dataset] for file in group)


def _download(download: Download, path: Path) -> None:
    """One file, whole and with the published hash, or not at all."""
    make_folder(path.parent)
    partly = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        digest = _receive(download, partly)
        if digest != download.file_hash:
            raise DataError(
                f"{download.url}: what was downloaded is not the published file",
                received=f"hash {digest}",
                expected=download.file_hash,
                hint="try again; if it stays so, get the file from elsewhere and put it into a data folder",
            )
        partly.replace(path)
    finally:
        partly.unlink(missing_ok=True)


def _receive(download: Download, path: Path) -> str:
    """Write the file and return its hash. Raises DataError."""
    reason = unreachable(download.url)
    if reason:
        raise _failed(download.url, reason)
    digest = hashlib.new("sha256" if len(download.file_hash) == 64 else "md5", usedforsecurity=False)
    try:
        with urllib.request.urlopen(download.url, timeout=READ_SECONDS) as answer, path.open("wb") as file:
            while block := answer.read(_BLOCK):
                digest.update(block)
                file.write(block)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _failed(download.url, str(error)) from error
    return digest.hexdigest()


def _failed(url: str, reason: str) -> DataError:
    host = urllib.parse.urlsplit(url).netloc or url
    return DataError(
        f"{url} cannot be downloaded: {reason}",
        hint=f"without a way to {host}, run `dlrun fetch NAME --data-dir DIR` on a computer that has one, copy DIR "
        "here, and name it in $DLRUN_DATA",
    )
