"""Evaluations of a run: metrics beside baselines, classes, which class is taken for which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlrun.records import read_json
from dlrun.report._markup import (
    NOTHING,
    Figure,
    Html,
    el,
    folded,
    frame,
    interval,
    join,
    mapping,
    mappings,
    real,
    table,
)
from dlrun.run_dir import RunDir

MOST_IN_MATRIX = 25  # classes; of more the pairs that are confused most
MOST_CLASSES = 40  # rows of the table of classes; of more the worst
MOST_PAIRS = 10
MOST_EVALUATIONS = 4


def evaluations_section(run: RunDir) -> Html:
    """The latest evaluation of each part and model. Raises RunDirError."""
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted(run.evaluations.glob("[0-9][0-9][0-9]-*.json")):
        found = read_json(path)
        model = str(found.get("model_file", "")).rpartition("/")[2]
        latest[str(found.get("split")), model] = found
    shown = list(latest.items())[-MOST_EVALUATIONS:]
    parts = [_evaluation(split, model, found) for (split, model), found in shown]
    if any('class="confusion"' in part for part in parts) and not (run.artefacts / "explain" / "mistakes").is_dir():
        command = el("code", f"dlrun explain {run.id} --what mistakes")
        parts.append(el("p", "Which rows these are: ", command, class_="soft"))
    return join(parts)


def _evaluation(split: str, model: str, found: dict[str, Any]) -> Html:
    reading = found.get("reading")
    often = f"; the test part was read {reading} times" if isinstance(reading, int) and reading > 1 else ""
    parts: list[Any] = [el("h3", f"{split} ({model}){often}")]
    parts += [el("p", str(note), class_="note") for note in found.get("notes") or []]
    outputs = mapping(found.get("outputs")) or {"": found}
    for name, output in outputs.items():
        parts.append(_output(name, mapping(output), split))
    total = mapping(found.get("total"))
    parts.append(table("Of all outputs together", ["loss", "value"], [[k, real(v)] for k, v in total.items()]))
    return join(parts)


def _output(name: str, output: dict[str, Any], split: str) -> Html:
    score, levels = mapping(output.get("score")) or output, mapping(output.get("baselines"))
    labels = [str(label) for label in output.get("labels") or []]
    unit = f" in {output['unit']}" if output.get("unit") else ""
    title = f"{name}{unit}, {score.get('rows', 0):,} rows" if name else f"{score.get('rows', 0):,} rows{unit}"
    metrics = _metrics(title, score, levels)
    classes = mappings(score.get("per_class"))
    matrix = score.get("confusion") or []
    labels = labels or [str(row.get("label")) for row in classes]
    return join([metrics, _confusion(matrix, labels), _classes(classes)])


def _metrics(caption: str, score: dict[str, Any], levels: dict[str, Any]) -> Html:
    shuffled = any(str(name).endswith("_shuffled") for name in levels)
    intervals = mapping(score.get("intervals"))
    rows = []
    for name, value in mapping(score.get("values")).items():
        row = [name, real(value), interval(intervals.get(name) or []), real(levels.get(name))]
        rows.append([*row, real(levels.get(f"{name}_shuffled"))] if shuffled else row)
    heads = ["metric", "value", "95 % interval", "baseline", *(["shuffled labels"] if shuffled else [])]
    return table(caption, heads, rows)


def _classes(classes: list[dict[str, Any]]) -> Html:
    rows = [
        [str(one.get("label")), *(real(one.get(k)) for k in ("precision", "recall", "f1")), one.get("rows")]
        for one in classes
    ]
    heads = ["class", "precision", "recall", "F1", "rows"]
    if len(rows) <= MOST_CLASSES:
        return folded("Each class", table("Precision, recall and F1 of each class", heads, rows))
    rows.sort(key=lambda row: (row[3] is None, row[3] or 0.0))
    return folded(
        "Each class",
        table(f"The {MOST_CLASSES} classes of {len(rows):,} with the lowest F1", heads, rows[:MOST_CLASSES]),
    )


def _confusion(matrix: list[list[int]], labels: list[str]) -> Html:
    if not matrix:
        return NOTHING
    pairs = table(
        "Confused most often", ["true class", "taken for", "rows", "share of the class"], list(_pairs(matrix, labels))
    )
    matrix_ = _matrix(matrix, labels) if len(matrix) <= MOST_IN_MATRIX else None
    return el("div", matrix_, pairs, class_="beside")


def _pairs(matrix: list[list[int]], labels: list[str]) -> Iterator[list[Any]]:
    wrong = [(n, true, guess) for true, row in enumerate(matrix) for guess, n in enumerate(row) if n and true != guess]
    for n, true, guess in sorted(wrong, reverse=True)[:MOST_PAIRS]:
        yield [labels[true], labels[guess], n, Figure(f"{100 * n / sum(matrix[true]):.1f} %")]


def _matrix(matrix: list[list[int]], labels: list[str]) -> Html:
    """Rows are true classes; the tint is the share of the row."""
    caption = "Confusion: true classes in rows, predicted ones in columns, tinted by the share of the row"
    head = el(
        "thead",
        el("tr", el("th", "true \\ predicted", scope="col"), *(el("th", label, scope="col") for label in labels)),
    )
    lines = []
    for true, row in enumerate(matrix):
        whole = sum(row) or 1
        cells = [
            el("td", f"{n:,}", class_=_tint(n / whole) + (" right" if true == guess else ""))
            for guess, n in enumerate(row)
        ]
        lines.append(el("tr", el("th", labels[true], scope="row"), *cells))
    return frame("Confusion matrix", el("table", el("caption", caption), head, el("tbody", *lines), class_="confusion"))


def _tint(share: float) -> str:
    """One of six steps; the smallest share above zero is told from none."""
    return f"h{min(5, int(share * 5) + 1) if share > 0 else 0}"
