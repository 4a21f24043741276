"""How much of the user's data is read at most."""

from __future__ import annotations

import os

from dlrun.errors import DataError

VARIABLE = "DLRUN_READ_LIMIT_GB"


def read_limit(usual_bytes: int) -> int:
    """Bytes of one file, unpacked: `usual_bytes`, or `$DLRUN_READ_LIMIT_GB`. Raises DataError when that is no size."""
    wish = os.environ.get(VARIABLE)
    if not wish:
        return usual_bytes
    try:
        limit = int(float(wish) * 1e9)
    except (ValueError, OverflowError):
        limit = 0
    if limit <= 0:
        raise DataError(f"${VARIABLE} is no size", received=wish, expected="a number of gigabytes, such as 4")
    return limit


def too_large(place: object, limit: int, what: str = "the file is larger") -> DataError:
    """The error for a file of more than `limit` bytes."""
    return DataError(
        f"{place}: {what} than {limit / 1e9:,.3g} GB",
        hint=f"if it is what it should be and the memory is there: ${VARIABLE}, a number of gigabytes",
    )
