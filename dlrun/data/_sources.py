"""Where data files are looked for, and how a missing one is downloaded or reported."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlrun.data._archives import check_plain
from dlrun.errors import DataError
from dlrun.files import expand_home

CONNECT_SECONDS = 4.0  # a box without network must hear of it in seconds, resolver included
READ_SECONDS = 20.0


@dataclass(frozen=True)
class Download:
    """A published file: its address, the hash (SHA-256 or MD5, by length) that a download must have (empty: none is
    known), and the folder of Keras' cache for datasets that Keras keeps it in, if it has one.
    """

    url: str
    file_hash: str
    cache_folder: str = ""


@dataclass(frozen=True)
class DataContext:
    """What dlrun gives to every dataset builder.

    `seed` is the root of the seed tree, `sample` asks for generated stand-in data, `folders` are searched first
    (`data.dir`), and paths the user wrote are relative to `config_folder`.
    """

    seed: int = 1
    sample: bool = False
    folders: Sequence[Path] = ()
    config_folder: Path = Path()

    def locate(self, path: str, key: tuple[str, ...] = ("data", "path")) -> Path:
        """A file or folder the user named: absolute, beside the YAML file, or below a data folder.

        Raises DataError naming every place when it is nowhere.
        """
        wanted = expand_home(path)
        if wanted.is_absolute():
            places = [wanted]
        else:
            places = [folder.absolute() / wanted for folder in (self.config_folder, *self._folders())]
        return _first(places) or _missing(path, places, key=key)

    def locate_file(self, file_name: str, dataset: str, download: Download | None = None) -> Path:
        """A file of a published dataset: `<folder>/<dataset>/<file>`, `<folder>/<file>`, the Keras cache, a download.

        Raises DataError naming every place when it cannot be had.
        """
        places = self._places(file_name, dataset, download.cache_folder if download else "")
        found = _first(places)
        if not found and download:
            found, reason = _fetch(file_name, download)
            places.append(Path(f"{download.url} ({reason})"))
        return found or _missing(file_name, places, dataset=dataset)

    def find_file(self, file_name: str, dataset: str, cache_folder: str = "") -> Path | None:
        """As `locate_file`, without download and without an error."""
        return _first(self._places(file_name, dataset, cache_folder))

    def folder_of(self, files: Sequence[Path]) -> Path | None:
        """The first data folder that holds all these files, or None."""
        folders = (folder.absolute() for folder in self._folders())
        return next((f for f in folders if files and all(path.is_relative_to(f) for path in files)), None)

    def _folders(self) -> list[Path]:
        environment = os.environ.get("DLRUN_DATA", "")
        named = [Path(folder) for folder in environment.split(os.pathsep) if folder]
        return [expand_home(folder) for folder in (*self.folders, *named)]

    def _places(self, file_name: str, dataset: str, cache_folder: str) -> list[Path]:
        places = [place / file_name for folder in self._folders() for place in (folder / dataset, folder)]
        return [*dict.fromkeys(places), Path(os.path.normpath(keras_cache() / cache_folder / file_name))]


def keras_cache() -> Path:
    """The folder where Keras keeps downloaded data files."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def _first(places: Sequence[Path]) -> Path | None:
    for place in places:
        try:
            if place.exists():
                check_plain(place)
                return place
        except OSError as error:  # a folder without rights, a name that is too long
            raise DataError(f"{place} cannot be reached: {error.strerror}") from error
    return None


def _missing(name: str, places: Sequence[Path], dataset: str = "", key: tuple[str, ...] | None = None) -> Path:
    advice = "put the file into one of these places, or name its folder with --data-dir or in $DLRUN_DATA"
    raise DataError(
        f"the data file {name} is not there",
        key=key,
        received="looked for\n" + "\n".join(str(place).replace("https:/", "https://", 1) for place in places),
        hint=advice + ("; or try the experiment with generated data: --sample" if dataset else ""),
    )


def _fetch(file_name: str, download: Download) -> tuple[Path | None, str]:
    """The file downloaded by Keras' own loader into its cache, or None and the reason."""
    reason = unreachable(download.url)
    if reason:
        return None, reason
    import keras

    try:
        with _read_timeout(), contextlib.redirect_stdout(sys.stderr):  # stdout may carry the answer as JSON
            path = keras.utils.get_file(
                file_name,
                download.url,
                file_hash=download.file_hash or None,
                cache_subdir=os.path.normpath(Path("datasets", download.cache_folder)),
            )
    except (OSError, ValueError) as error:
        return None, f"download failed: {error}"
    except Exception as error:  # keras.utils.get_file raises a plain Exception for every failed request
        if type(error) is not Exception:
            raise
        return None, f"download failed: {error}"
    return Path(path), "downloaded"


@contextlib.contextmanager
def _read_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(READ_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def unreachable(url: str) -> str:
    """Why the address does not answer within a few seconds; empty when it does."""
    answer: list[str] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_SECONDS):
                answer.append("")
        except urllib.error.HTTPError:
            answer.append("")  # some servers refuse HEAD; the download will tell
        except (OSError, ValueError) as error:
            answer.append(f"no connection: {getattr(error, 'reason', error)}")

    # A thread of its own because the resolver knows no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS + 1)
    return answer[0] if answer else f"no answer within {CONNECT_SECONDS:.0f} s"
