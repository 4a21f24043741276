"""The report of one run: what, when, how it ended and how good that is, then all else, most important first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlrun.analysis._entries import DAMAGED, Entry, read_entry
from dlrun.config.scale import deviation_text
from dlrun.errors import RunDirError
from dlrun.files import number
from dlrun.report._artefacts import artefacts_by_epoch
from dlrun.report._config import config_section
from dlrun.report._curves import Chart, Series, draw
from dlrun.report._markup import NOTHING, Figure, Html, el, join, mapping, mappings, real, table
from dlrun.report._page import Top, page, part
from dlrun.report._provenance import provenance_section, timing_section
from dlrun.report._samples import artefacts_section, samples_section
from dlrun.report._scores import evaluations_section
from dlrun.report._words import BASELINE, beside_baseline, duration
from dlrun.run_dir import COMPLETED, FAILED, INTERRUPTED, RUNNING, RunDir

_ORIGINAL = "original units"


def run_page(run: RunDir) -> str:
    """The page of a run, whatever is left of it."""
    entry = read_entry(run)
    metrics = _metrics_of(run)
    sections = [
        part("notes", "Notes", _notes, entry),
        part("metrics", "Metrics", _metrics_section, metrics),
        part("stages", "Stages", _stages, entry),
        part("curves", "Curves", curves_section, run, metrics, _began(entry)),
        part("evaluations", "Evaluations", evaluations_section, run),
        part("made", "What the run made", artefacts_by_epoch, entry),
        part("samples", "Worst samples", samples_section, run),
        part("artefacts", "What the model looks at", artefacts_section, run),
        part("config", "Config", _config, run),
        part("timing", "Timing", timing_section, run, entry.record, metrics),
        part("environment", "Environment and provenance", provenance_section, run, entry.record),
    ]
    return page(_top(entry, metrics), sections)


def _metrics_of(run: RunDir) -> dict[str, Any]:
    """What `metrics.json` says; nothing where it is not there or damaged, which the notes tell."""
    try:
        return run.metrics()
    except RunDirError:
        return {}


def _top(entry: Entry, metrics: dict[str, Any]) -> Top:
    record = entry.record
    rows = mapping(mapping(record.get("data")).get("rows"))
    seconds = real(record.get("seconds"))
    told: list[tuple[str, Any]] = [
        ("started", str(record.get("started", ""))[:16].replace("T", " ")),
        ("took", duration(seconds) if seconds is not None else None),
        ("rows", ", ".join(f"{count:,} {name}" for name, count in rows.items() if isinstance(count, int))),
        ("parameters", f"{count:,}" if isinstance(count := metrics.get("parameters"), int) else None),
        ("device", record.get("device")),
        ("seed", record.get("seed")),
    ]
    about = record.get("description")
    under = f"{entry.run.id}: {about}" if about else f"run {entry.run.id}"
    return Top(str(record.get("name") or entry.name), under, entry.outcome, verdict(entry), told)


def verdict(entry: Entry) -> list[str]:
    """How good the run is, in a sentence or two."""
    if entry.status == DAMAGED:
        return ["The files of this run are damaged; what can be read is shown."]
    said = [_state(entry)] if entry.status != COMPLETED else []
    value, level = entry.value, entry.baselines.get(str(entry.monitor))
    if value is None:
        return said or ["The monitored metric has no value."]
    epoch = (
        f"at its best epoch, {entry.best_epoch} of {entry.epochs}"
        if entry.validated
        else f"after {entry.epochs} epochs"
    )
    sentence = f"{entry.monitor} is {number(value)} {epoch}"
    if not entry.validated:
        sentence += ", measured on training, for there is no validation part"
    if level is None:
        said.append(f"{sentence}; no baseline is known for it.")
    else:
        said.append(f"{sentence}: {beside_baseline(value, level, entry.mode)}")
    if shortened := mapping(entry.record.get("shortened")):
        found = {key: mapping(one) for key, one in shortened.items()}
        said.append(f"Made small (--scale small): {deviation_text(found)}.")
    if entry.record.get("sample_data"):
        said.append("Generated stand-in data (--sample): the figures mean nothing.")
    return said


def _state(entry: Entry) -> str:
    epochs = f"{entry.epochs} epoch{'s' if entry.epochs != 1 else ''}"
    return {
        RUNNING: f"The run goes on; {epochs} are written so far.",
        INTERRUPTED: f"The run was stopped after {epochs}; go on with: dlrun train --resume {entry.run.id}",
        FAILED: f"The run failed after {epochs}.",
    }.get(entry.status, f"The run is {entry.status}, after {epochs}.")


def _notes(entry: Entry) -> Html:
    """Why it failed, what is damaged, guard rails, notes."""
    record = entry.record
    parts = [el("p", entry.problem, class_="note bad")] if entry.problem else []
    if failure := mapping(record.get("failure")):
        parts.append(
            el("p", f"{failure.get('kind')}: {str(failure.get('message')).removeprefix('error: ')}", class_="note bad")
        )
    for one in mappings(record.get("warnings")):
        code = el("span", f" guard rail: {one.get('code')}", class_="code")
        parts.append(el("p", str(one.get("message")), code, class_="note"))
    notes = record.get("notes")
    parts += [el("p", str(note), class_="note") for note in (notes if isinstance(notes, list) else [])]
    return join(parts)


def _metrics_section(metrics: dict[str, Any]) -> Html:
    """Validation and training at the best and the last epoch beside the baselines; stated results."""
    if not metrics:
        return NOTHING
    best, last, levels = (mapping(metrics.get(key)) for key in ("best", "last", "baselines"))
    shuffled = any(str(name).endswith("_shuffled") for name in levels)
    rows = []
    for name, value in best.items():
        if name == "learning_rate":
            continue
        row = [name, real(value), real(last.get(name)), real(levels.get(name))]
        rows.append([*row, real(levels.get(f"{name}_shuffled"))] if shuffled else row)
    rows.sort(key=lambda row: not str(row[0]).startswith("val_"))
    for name, value in mapping(metrics.get("measures")).items():  # of the best weights alone
        row = [name, real(value), None, real(levels.get(name))]
        rows.append([*row, None] if shuffled else row)
    heads = ["metric", f"best epoch ({metrics.get('best_epoch')})", f"last epoch ({metrics.get('epochs')})", "baseline"]
    caption = f"Best by {metrics.get('monitor')} ({metrics.get('mode')})"
    whole = table(caption, [*heads, *(["shuffled labels"] if shuffled else [])], rows)
    note = el("p", BASELINE, class_="soft") if levels else None
    return join([whole, note, _original(metrics), _stated(metrics)])


def _original(metrics: dict[str, Any]) -> Html:
    levels, units = mapping(metrics.get("baselines_original")), mapping(metrics.get("units"))
    rows = [
        [name, str(units.get(name, _ORIGINAL)), real(value), real(levels.get(name.removeprefix("val_")))]
        for name, value in mapping(metrics.get("best_original")).items()
    ]
    return table("In the units of the target, at the best epoch", ["metric", "unit", "value", "baseline"], rows)


def _stated(metrics: dict[str, Any]) -> Html:
    rows = []
    for one in mappings(metrics.get("expect")):
        met = {True: el("span", "as stated", class_="good"), False: el("span", "not as stated", class_="bad-word")}
        result = one.get("value", one.get("below", one.get("above")))
        word = "" if "value" in one else "below " if "below" in one else "above "
        tolerance = f" ± {one['tolerance']:.6g}" if real(one.get("tolerance")) else ""
        stated = f"{word}{f'{result:.6g}' if isinstance(result, float) else result}{tolerance}"
        verdict_ = met.get(one.get("met"), "this run alone cannot tell")  # type: ignore[arg-type]
        rows.append(
            [
                str(one.get("metric")),
                stated,
                "" if (measured := real(one.get("measured"))) is None else f"{measured:.6g}",
                verdict_,
                str(one.get("source", "")),
            ]
        )
    return table("What the source states", ["metric", "stated", "measured", "", "source"], rows)


def _began(entry: Entry) -> list[int]:
    """The epochs that were done when each stage of training began."""
    found = [one.get("began") for one in mappings(entry.record.get("stages"))]
    return [began for began in found if isinstance(began, int)]


def _stages(entry: Entry) -> Html:
    keys = ("began", "epochs", "unfreeze", "learning_rate", "trainable_parameters")
    heads = ["stage", "after epoch", "at most epochs", "unfrozen from", "learning rate", "parameters that learn"]
    rows = []
    for place, one in enumerate(mappings(entry.record.get("stages")), 1):
        began, epochs, layer, rate, learning = (one.get(key) for key in keys)
        shown = "" if real(rate) is None else Figure(f"{rate:g}")
        rows.append([place, began, epochs, str(layer or ""), shown, learning])
    return table("Stages of training", heads, rows)


def curves_section(run: RunDir, metrics: dict[str, Any], stages: Sequence[int]) -> Html:
    """A picture for each metric: training and validation, baseline, best epoch, stages. Raises RunDirError."""
    if not run.history_file.exists():
        return NOTHING
    history = run.history()
    if metrics and len(history) < 2:
        return NOTHING  # one point, as of an estimator without epochs, says no more than the table
    levels = mapping(metrics.get("baselines"))
    marked = (
        metrics.get("best_epoch") if isinstance(metrics.get("best_epoch"), int) and metrics.get("validated") else None
    )
    drawn = [draw(chart) for chart in run_charts(history, levels, marked, stages)]
    note = "Pointer or arrow keys read out values; names switch lines on and off."
    return join([el("p", note, class_="soft"), el("div", *drawn, class_="charts")]) if any(drawn) else NOTHING


def run_charts(
    history: Sequence[dict[str, float]], levels: dict[str, Any], marked: int | None, stages: Sequence[int]
) -> list[Chart]:
    """One chart for each metric, and one for a learning rate that moves."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    charts = []
    for name in dict.fromkeys(column.removeprefix("val_") for column in columns):
        training, validation = ([row.get(key) for row in history] for key in (name, f"val_{name}"))
        if name == "learning_rate":
            if len(set(training)) > 1:
                charts.append(Chart("learning rate", [Series("learning rate", [training])], stages=stages))
            continue
        series = [Series("training", [training], "dashed", 7)] if name in columns else []
        series += [Series("validation", [validation], "line", 0)] if f"val_{name}" in columns else []
        level = real(levels.get(f"val_{name}", levels.get(name)))
        known = {"baseline": level} if level is not None else {}
        charts.append(Chart(name.replace("_", " "), series, known, marked, stages))
    return charts


def _config(run: RunDir) -> Html:
    return config_section(run.config_file, run.plugins, settled=True) if run.config_file.exists() else NOTHING
