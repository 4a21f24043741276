"""Pictures of a run inside of the page, as small as they are readable, and not more than a page can bear."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from dlrun.report._markup import Html, el, join

SMALL_BYTES = 60_000  # of a file that goes in as it is
MOST_BYTES = 4_000_000  # of all pictures of a page
MOST_FILE_BYTES = 20_000_000
MOST_PIXELS = 60_000_000  # of a picture that is made smaller
SIDE = 900  # pixels of a picture that was made smaller
_KIND = b"\x89PNG\r\n\x1a\n"


def pictures(paths: Sequence[tuple[Path, str]], below: Path) -> Html:
    """Pictures with what they show, as long as there is room; of the others the names."""
    shown, left_out, room = [], [], MOST_BYTES
    for path, text in paths:
        content = _content(path, below) if room > 0 else None
        if content is None or len(content) > room:
            left_out.append(path.name)
            continue
        room -= len(content)
        code = base64.b64encode(content).decode()
        image = el("img", src=f"data:image/png;base64,{code}", alt=text)
        shown.append(el("figure", image, el("figcaption", text)))
    parts = [el("div", *shown, class_="pictures" if len(shown) > 1 else "pictures one")] if shown else []
    if left_out:
        names = ", ".join(left_out[:10]) + (f" and {len(left_out) - 10} more" if len(left_out) > 10 else "")
        parts.append(el("p", f"Not shown here, too large or not readable: {names}", class_="soft"))
    return join(parts)


def inside(paths: Iterable[Path], below: Path) -> list[Path]:
    """Those that lie in this folder also when links are followed: a report must not carry other files away."""
    root = below.resolve()
    return [path for path in paths if path.resolve().is_relative_to(root) and path.is_file()]


def _content(path: Path, below: Path) -> bytes | None:
    """The bytes of a PNG, of a large one those of a smaller version."""
    if not inside([path], below) or path.stat().st_size > MOST_FILE_BYTES:
        return None
    content = path.read_bytes()
    if not content.startswith(_KIND):
        return None
    return content if len(content) <= SMALL_BYTES else _smaller(content)


def _smaller(content: bytes) -> bytes | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None
    small.thumbnail((SIDE, SIDE))
    made = io.BytesIO()
    small.quantize(128).save(made, "PNG", optimize=True)
    return made.getvalue() if made.tell() < len(content) else content
