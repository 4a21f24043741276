"""What went wrong worst: mistakes that `explain` has written, and what else it made."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from dlrun.config.dumping import flow
from dlrun.errors import RunDirError
from dlrun.records import read_json
from dlrun.report._artefacts import listed_files
from dlrun.report._markup import NOTHING, Figure, Html, el, folded, join, mappings, real, table
from dlrun.report._pictures import inside, pictures
from dlrun.run_dir import RunDir

MOST_TEXT = 240  # characters of a sample
MOST_SAMPLES = 20
MOST_OF_A_KIND = 12
_OWN = ("mistakes",)


def samples_section(run: RunDir) -> Html:
    """The surest mistakes, as pictures and as rows. Raises RunDirError."""
    folder = run.artefacts / "explain" / "mistakes"
    if not (folder / "mistakes.json").is_file():
        return NOTHING
    found = read_json(folder / "mistakes.json")
    rows = [
        [
            Figure(one.get("row")),
            str(one.get("truth")),
            str(one.get("predicted")),
            real(one.get("probability")),
            _value(one.get("values")),
        ]
        for one in mappings(found.get("surest"))[:MOST_SAMPLES]
    ]
    caption = (
        f"Wrong answers the model was surest of; {_count(found.get('wrong'))} of {_count(found.get('rows'))} rows of "
        f"{found.get('split')} are wrong"
    )
    heads = ["row", "truth", "predicted", "probability", "sample"]
    if all(row[-1] == "" for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    grid = inside([folder / "mistakes.png"], run.path)
    shown = pictures([(path, "truth, not what was predicted, and how sure the model was") for path in grid], run.path)
    return join([shown, table(caption, heads, rows)])


def _value(value: Any) -> str:
    """A sample in a line: a text, columns, a file; numbers alone tell a reader nothing."""
    if value is None or (isinstance(value, list) and all(isinstance(one, int | float | list) for one in value)):
        return ""
    text = value if isinstance(value, str) else flow(value)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} …"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def artefacts_section(run: RunDir) -> Html:
    """What `explain` found, kind by kind, and other pictures among the artefacts. Raises RunDirError."""
    folder = run.artefacts / "explain"
    file = folder / "explain.json"
    parts = []
    kinds = mappings(read_json(file).get("written")) if file.is_file() else []
    for what in dict.fromkeys(str(one.get("what")) for one in kinds):
        if what not in _OWN:
            parts.append(_kind(what, [one for one in kinds if one.get("what") == what], folder, run))
    shown = listed_files(run)
    others = [path for path in sorted(run.artefacts.glob("**/*.png")) if not path.is_relative_to(folder)]
    others = [path for path in others if path not in shown]
    if others:
        parts += [
            el("h3", "Other artefacts"),
            pictures([(path, path.stem) for path in others[:MOST_OF_A_KIND]], run.path),
        ]
    return join(parts)


def _kind(what: str, written: list[dict[str, Any]], folder: Path, run: RunDir) -> Html:
    """Pictures of one kind of explanation with what each found; files are looked for below `folder` only."""
    shown, lines = [], []
    for one in written:
        path = folder / _below(str(one.get("file")), folder.name)
        text = ": ".join(str(one.get(key)) for key in ("of", "finding") if one.get(key))
        (shown.append((path, text)) if path.suffix == ".png" else lines.append([str(path.relative_to(folder)), text]))
    more = (
        f"{len(shown) - MOST_OF_A_KIND} more lie in artefacts/explain/{what}" if len(shown) > MOST_OF_A_KIND else None
    )
    return folded(
        f"{what} ({len(written)})",
        pictures(shown[:MOST_OF_A_KIND], run.path),
        el("p", more, class_="soft") if more else None,
        table(f"Other files of {what}", ["file", "finding"], lines[:MOST_OF_A_KIND]),
    )


def _below(file: str, name: str) -> Path:
    """The part of a path below the last folder of this name: the run may have been moved since it was written."""
    return Path(file.rpartition(f"/{name}/")[2].lstrip("/"))


def out_of_fold_section(path: Path) -> Html:
    """Of a k-fold study the rows that were predicted worst. Raises RunDirError."""
    if not path.is_file():
        return NOTHING
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        numbers = [(abs(float(row["target"]) - float(row["prediction"])), row) for row in rows]
    except (KeyError, ValueError, TypeError):  # classes, or several outputs
        return NOTHING
    except OSError as error:
        raise RunDirError(f"{path} cannot be read: {error.strerror}") from error
    worst = sorted(numbers, key=lambda one: -one[0])[:MOST_SAMPLES]
    lines = [
        [Figure(row["row"]), row["run"], float(row["target"]), float(row["prediction"]), far] for far, row in worst
    ]
    caption = f"Largest errors of {len(rows):,} rows, each predicted by the model that did not see it"
    return table(caption, ["row", "predicted by", "target", "prediction", "error"], lines)
