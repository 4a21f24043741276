"""Text files as the user has them: compressed or not, with an encoding, or from standard input."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from pathlib import Path

from dlrun.data._archives import check_plain
from dlrun.data._limits import read_limit, too_large
from dlrun.errors import DataError

STANDARD_INPUT = "-"
MOST_BYTES = 2 * 10**9  # of one file, unpacked
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_text(source: str | Path, encoding: str = "utf-8") -> str:
    """The whole text of a file (`.gz` unpacked, `-` standard input), without a byte-order mark.

    Raises DataError naming the file, and the line when the encoding does not fit.
    """
    return decode_text(_read_bytes(source), source, encoding)


def decode_text(content: bytes, source: str | Path, encoding: str = "utf-8") -> str:
    """The text of the bytes that `source` holds, as `read_text` gives it, with its errors."""
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    if not wide and content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{source}: the text is UTF-16", expected=f"encoding {encoding}", hint="set encoding: utf-16")
    if not wide and b"\x00" in content[:65536]:
        raise DataError(f"{source}: this is a binary file, not text")
    if not wide and (place := content.find(b"\x00")) >= 0:
        line = content.count(b"\n", 0, place) + 1
        raise DataError(f"{source}:{line}: a NUL byte stands in the text", hint="the file is damaged; get it anew")
    try:
        text = content.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except LookupError as error:
        raise DataError(f"there is no encoding {encoding!r}", key=("data", "encoding")) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}:{line}: the text is not {encoding}: {error.reason}",
            received=f"byte 0x{content[error.start]:02x}",
            hint="set encoding: latin-1, or the one the file was saved in",
        ) from error
    except UnicodeError as error:
        raise DataError(f"{source}: the text is not {encoding}: {error}") from error
    except ValueError as error:  # a NUL in the name
        raise DataError(f"there is no encoding {encoding!r}", key=("data", "encoding")) from error
    if not encoding.lower().startswith(("utf-8", "utf8", "latin")) and (found := _SURROGATE.search(text)):
        line = text.count("\n", 0, found.start()) + 1
        raise DataError(f"{source}:{line}: half a character (U+{ord(found[0]):04X})", hint="set another encoding")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _read_bytes(source: str | Path) -> bytes:
    limit = read_limit(MOST_BYTES)
    if str(source) == STANDARD_INPUT:
        return _within(sys.stdin.buffer.read(limit + 1), "standard input", limit)
    path = Path(source)
    if not path.is_fifo():  # `predict <(command)` is one
        check_plain(path)
    try:
        packed = path.suffix.lower() == ".gz"
        if not packed and path.stat().st_size > limit:
            raise too_large(source, limit)
        with gzip.open(path) if packed else path.open("rb") as file:
            return _within(file.read(limit + 1), source, limit)
    except FileNotFoundError as error:
        raise DataError(f"{source}: there is no such file") from error
    except IsADirectoryError as error:
        raise DataError(f"{source}: this is a folder, not a file") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{source}: the compressed file is damaged or cut short: {error}") from error
    except OSError as error:
        raise DataError(f"{source}: the file cannot be read: {error.strerror or error}") from error


def _within(content: bytes, source: str | Path, limit: int) -> bytes:
    if len(content) > limit:
        raise too_large(source, limit)
    return content
