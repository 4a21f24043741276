"""What a routine wrote while it trained: pictures and texts in order of epochs, the newest one large."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlrun.analysis._entries import Entry
from dlrun.report._markup import NOTHING, Html, el, folded, join, mappings
from dlrun.report._pictures import inside, pictures
from dlrun.run_dir import RunDir

GENERATED = "generated"  # folder of the artefacts that `dlrun generate` writes into
MOST_GENERATED = 6
MOST_EARLIER = 12  # of the files that show the same at earlier epochs, evenly spaced
MOST_TEXT, MOST_EARLIER_TEXT = 4_000, 600  # characters


def artefacts_by_epoch(entry: Entry) -> Html:
    """Everything that `run.json` lists, kind by kind: the newest file, and folded away those of earlier epochs."""
    listed = [one for one in mappings(entry.record.get("artefacts")) if _file(one, entry.run)]
    kinds = dict.fromkeys(str(one.get("what")) for one in listed)
    parts = [_kind(kind, [one for one in listed if str(one.get("what")) == kind], entry.run) for kind in kinds]
    return join([*parts, _generated(entry.run)])


def listed_files(run: RunDir) -> set[Path]:
    """The files that are shown here. Raises RunDirError."""
    files = {path for one in mappings(run.record().get("artefacts")) if (path := _file(one, run))}
    return files | set(run.artefacts.glob(f"{GENERATED}/**/*.*"))


def _generated(run: RunDir) -> Html:
    """What `dlrun generate` made last."""
    calls = sorted((path for path in run.artefacts.glob(f"{GENERATED}/*") if path.is_dir()), reverse=True)
    files = [path for call in calls for path in sorted(call.iterdir()) if path.suffix in (".png", ".txt")]
    shown = [(path, f"{path.parent.name}: {path.stem}") for path in inside(files, run.path)[:MOST_GENERATED]]
    return join([el("h3", "Made by dlrun generate"), _shown(shown, run, MOST_EARLIER_TEXT)]) if shown else NOTHING


def _file(one: dict[str, Any], run: RunDir) -> Path | None:
    return next(iter(inside([run.path / str(one.get("file"))], run.path)), None)


def _kind(kind: str, listed: Sequence[dict[str, Any]], run: RunDir) -> Html:
    shown = [(path, _when(one)) for one in listed if (path := _file(one, run))]
    *earlier, newest = shown
    step = max(1, -(-len(earlier) // MOST_EARLIER))
    some = earlier[::step]
    title = f"Earlier: {len(some)} of {len(earlier)}" if len(some) < len(earlier) else "Earlier"
    return join([el("h3", kind), _shown([newest], run, MOST_TEXT), folded(title, _shown(some, run, MOST_EARLIER_TEXT))])


def _when(one: dict[str, Any]) -> str:
    epoch = one.get("epoch")
    return f"epoch {epoch}" if isinstance(epoch, int) else "at the end"


def _shown(files: Sequence[tuple[Path, str]], run: RunDir, most_text: int) -> Html:
    drawn = [one for one in files if one[0].suffix == ".png"]
    texts = [_text(path, when, most_text) for path, when in files if path.suffix == ".txt"]
    others = [path.name for path, _ in files if path.suffix not in (".png", ".txt")]
    named = el("p", f"Not shown here: {', '.join(others)}", class_="soft") if others else None
    return join([pictures(drawn, run.path) if drawn else NOTHING, *texts, named])


def _text(path: Path, when: str, most: int) -> Html:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(most + 1)
    except OSError as error:
        return el("p", f"{path.name} cannot be read: {error.strerror}", class_="soft")
    cut = text if len(text) <= most else f"{text[:most]} …"
    return el("figure", el("pre", cut), el("figcaption", when))
