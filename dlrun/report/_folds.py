"""A k-fold study: the mean of the folds with its spread, each fold, rows predicted worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlrun.errors import RunDirError
from dlrun.files import number
from dlrun.report._curves import Chart, Series, draw
from dlrun.report._markup import NOTHING, Figure, Html, el, interval, join, mapping, mappings, real, table
from dlrun.report._page import Section, part
from dlrun.report._samples import out_of_fold_section
from dlrun.report._words import beside_baseline
from dlrun.run_dir import RunDir
from dlrun.studies._study_dir import StudyDir


def folds_verdict(summary: dict[str, Any]) -> list[str]:
    """What the folds say together."""
    monitor, epoch = str(summary.get("monitor")), summary.get("recommended_epochs")
    at_best = mapping(mapping(summary.get("best")).get(monitor))
    mean, level = real(at_best.get("mean")), real(mapping(summary.get("baselines")).get(monitor))
    if mean is None:
        return ["The folds have no common value of the monitored metric."]
    spread = f" ± {number(std)}" if (std := real(at_best.get("std"))) is not None else ""
    said = (
        f"{monitor} is {number(mean)}{spread} at epoch {epoch} (mean ± standard deviation of {_count(summary)} folds)"
    )
    if level is None:
        return [f"{said}."]
    return [f"{said}: {beside_baseline(mean, level, summary.get('mode'))}"]


def _count(summary: dict[str, Any]) -> int:
    return len(mappings(summary.get("folds")))


def folds_sections(study: StudyDir, summary: dict[str, Any]) -> list[Section | None]:
    """Figures, curves, each fold, the final model, out-of-fold rows."""
    return [
        part("metrics", "Metrics", _metrics, summary),
        part("curves", "Curves", _curves, study, summary),
        part("folds", "Folds", _folds, study, summary),
        part("final", "Final model", _final, summary),
        part("out-of-fold", "Out of fold", _out_of_fold, study, summary),
    ]


def _metrics(summary: dict[str, Any]) -> Html:
    """Means with spread and interval at the recommended and the last epoch."""
    levels = mapping(summary.get("baselines"))
    at = [("best", f"At the recommended epoch, {summary.get('recommended_epochs')}"), ("metrics", "At the last epoch")]
    at += [(f"{key}_original", f"{text}, in the units of the target") for key, text in at]
    tables = []
    for key, caption in at:
        rows = []
        for name, one in mapping(summary.get(key)).items():
            facts = mapping(one)
            level = None if key.endswith("_original") else real(levels.get(name))
            rows.append(
                [
                    name,
                    real(facts.get("mean")),
                    real(facts.get("std")),
                    interval([facts.get("low"), facts.get("high")]),
                    level,
                ]
            )
        rows.sort(key=lambda row: not str(row[0]).startswith("val_"))
        tables.append(table(caption, ["metric", "mean", "std", "95 % interval", "baseline"], rows))
    return join(
        [
            el("div", *tables, class_="beside"),
            el("p", f"Interval: {summary.get('interval')}.", class_="soft") if summary.get("interval") else None,
        ]
    )


def _runs(study: StudyDir, summary: dict[str, Any]) -> list[RunDir]:
    """The runs of the folds, also of those that the summary does not know yet; names stay inside the study."""
    names = [str(one.get("run")) for one in mappings(summary.get("folds"))]
    names = names or sorted(path.parent.name for path in study.path.glob("*fold-*/run.json"))
    return [study.run(name) for name in names if name == name.replace("/", "").replace("..", "")]


def _curves(study: StudyDir, summary: dict[str, Any]) -> Html:
    """For each metric the mean of training and validation over the folds, and each fold."""
    histories = []
    for run in _runs(study, summary):
        try:
            histories.append(run.history())
        except RunDirError:
            continue
    if not histories:
        return NOTHING
    columns = dict.fromkeys(name for history in histories for row in history for name in row)
    levels, epoch = mapping(summary.get("baselines")), summary.get("recommended_epochs")
    marked = epoch if isinstance(epoch, int) else None
    drawn = []
    for name in columns:
        if not name.startswith("val_"):
            continue
        each = [[row.get(name) for row in history] for history in histories]
        training = [[row.get(name.removeprefix("val_")) for row in history] for history in histories]
        series = [
            Series("each fold, validation", each, "thin", 0),
            Series("mean, training", [mean_of(training)], "dashed", 7),
            Series("mean, validation", [mean_of(each)], "line", 0),
        ]
        level = real(levels.get(name))
        title = name.removeprefix("val_").replace("_", " ")
        known = {"baseline": level} if level is not None else {}
        drawn.append(draw(Chart(title, series, known, marked)))
    return el("div", *drawn, class_="charts") if drawn else NOTHING


def mean_of(lines: Sequence[Sequence[float | None]]) -> list[float | None]:
    """The mean at each epoch that all have."""
    columns = zip(*lines, strict=False)
    return [None if None in values else sum(v for v in values if v is not None) / len(values) for values in columns]


def _folds(study: StudyDir, summary: dict[str, Any]) -> Html:
    monitor = str(summary.get("monitor"))
    rows: list[list[Any]] = []
    for one in mappings(summary.get("folds")):
        last, best = mapping(one.get("last")), mapping(one.get("best"))
        rows.append(
            [
                str(one.get("run")),
                real(best.get(monitor)),
                one.get("best_epoch"),
                real(last.get(monitor)),
                one.get("epochs"),
                "" if (seconds := real(one.get("seconds"))) is None else Figure(f"{seconds:.3g}"),
            ]
        )
    if not rows:
        return table("Folds", ["fold", "status"], [[run.id, _status(run)] for run in _runs(study, summary)])
    heads = ["fold", f"{monitor}, its own best epoch", "best epoch", f"{monitor}, last epoch", "epochs", "seconds"]
    return table("Each fold is a run of its own", heads, rows)


def _status(run: RunDir) -> str:
    try:
        return run.status()
    except RunDirError:
        return "not begun"


def _out_of_fold(study: StudyDir, summary: dict[str, Any]) -> Html:
    """Scores over all rows, and the rows predicted worst."""
    outputs = mapping(mapping(summary.get("out_of_fold")).get("outputs"))
    rows = []
    for task, one in outputs.items():
        facts = mapping(one)
        for name, value in mapping(facts.get("metrics")).items():
            bounds = mapping(facts.get("intervals")).get(name) or []
            label = f"{task} {name}" if len(outputs) > 1 else name
            rows.append([label, str(facts.get("unit") or ""), real(value), interval(bounds)])
    caption = "All rows, each predicted by the model that did not see it"
    scored = table(caption, ["metric", "unit", "value", "95 % interval"], rows)
    return join([scored, out_of_fold_section(study.out_of_fold_file)])


def _final(summary: dict[str, Any]) -> Html:
    """The model that was trained on all rows but those of test, as one reading of test found it."""
    final = mapping(summary.get("final"))
    rows: list[list[Any]] = []
    for name, value in mapping(final.get("metrics")).items():
        found = mapping(value) or {"": value}  # of several outputs by task
        rows += [[f"{name} {metric}".strip(), real(one)] for metric, one in found.items()]
    caption = f"On test, read once: {final.get('epochs')} epochs, batch size {final.get('batch_size')}"
    return table(caption, ["metric", "value"], rows)
