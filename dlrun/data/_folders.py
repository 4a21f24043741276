"""Files below a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dlrun.errors import DataError

MOST_DEPTH = 64  # of folders in folders; the deepest known layout has four


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, those that links lead to among them; linked folders are not entered.

    Raises DataError when folders are nested too deeply, OSError when one cannot be read.
    """
    waiting = [(folder, 0)]
    while waiting:
        inside, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise DataError(f"{folder}: folders are nested more than {MOST_DEPTH} deep", received=f"{inside}"[:200])
        for path in inside.iterdir():
            if path.is_file():
                yield path
            elif path.is_dir() and not path.is_symlink():
                waiting.append((path, depth + 1))
