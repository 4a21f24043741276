"""A sweep: how its trials went, which were best, which parameters mattered."""

from __future__ import annotations

import csv
from typing import Any

from dlrun.errors import RunDirError
from dlrun.files import number
from dlrun.report._curves import COLOURS, Chart, Series, draw
from dlrun.report._markup import NOTHING, Figure, Html, el, mapping, mappings, real, table
from dlrun.report._page import Section, part
from dlrun.report._words import as_parameter
from dlrun.studies._study_dir import StudyDir

MOST_RANKED = 25
MOST_CURVES = 6
MOST_TRIALS = 100_000  # in the picture of the search


def trials_verdict(summary: dict[str, Any]) -> list[str]:
    """The best trial in a sentence."""
    best, monitor = mapping(summary.get("best")), summary.get("monitor")
    counts = ", ".join(f"{count} {status}" for status, count in mapping(summary.get("counts")).items())
    said = f"{summary.get('n_trials')} trials ({counts}) of the sampler {summary.get('sampler')}."
    if not best:
        return [f"{said} None was completed."]
    own = mapping(summary.get("own"))
    against = f"; the config as it stands has {number(real(own.get('value')))}" if own else ""
    return [f"The best {monitor} is {number(real(best.get('value')))}, of trial {best.get('trial')}{against}.", said]


def trials_sections(study: StudyDir, summary: dict[str, Any]) -> list[Section | None]:
    """Ranking, importance, the search as it went, curves of the best."""
    return [
        part("ranking", "Ranking", _ranking, summary),
        part("importance", "Which parameters matter", _importance, summary),
        part("search", "The search", _search, summary),
        part("curves", "Curves of the best trials", _curves, study, summary),
        part("failed", "Trials that failed", _failed, study),
    ]


def _ranking(summary: dict[str, Any]) -> Html:
    ranking = mappings(summary.get("ranking"))
    names = list(dict.fromkeys(name for one in ranking for name in mapping(one.get("values"))))
    rows = []
    for place, one in enumerate(ranking[:MOST_RANKED], 1):
        values = [_told(mapping(one.get("values")), name) for name in names]
        rows.append(
            [place, one.get("trial"), real(one.get("value")), one.get("best_epoch"), one.get("epochs"), *values]
        )
    heads = ["rank", "trial", str(summary.get("monitor")), "best epoch", "epochs", *names]
    more = f"; the first {MOST_RANKED} of {len(ranking):,}" if len(ranking) > MOST_RANKED else ""
    return table(f"Completed trials, the best first{more}", heads, rows)


def _told(values: dict[str, Any], name: str) -> str:
    return as_parameter(values[name]) if name in values else ""


def _importance(summary: dict[str, Any]) -> Html:
    shares = {
        name: share for name, one in mapping(summary.get("importances")).items() if (share := real(one)) is not None
    }
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    rows = [[name, Figure(f"{share:.2f}"), _bar(share)] for name, share in ordered]
    return table("Share of the spread of the values that each parameter explains", ["parameter", "share", ""], rows)


def _bar(share: float) -> Html:
    width = round(120 * max(0.0, min(1.0, share)), 1)
    rect = el("rect", width=width, height=10, rx=2)
    return el("svg", rect, class_="bar", viewBox="0 0 120 10", aria_hidden="true")


def _search(summary: dict[str, Any]) -> Html:
    """The value of each completed trial in the order of trials, and the best so far."""
    ranking = sorted(mappings(summary.get("ranking")), key=lambda one: one["trial"])
    if len(ranking) < 2 or ranking[-1]["trial"] - ranking[0]["trial"] > MOST_TRIALS:
        return NOTHING
    values: dict[int, float | None] = {one["trial"]: real(one.get("value")) for one in ranking}
    numbers = range(min(values), max(values) + 1)
    known = [values.get(place) for place in numbers]
    pick = min if summary.get("mode") == "min" else max
    best: list[float | None] = [None]
    for value in known:
        best.append(pick((one for one in (best[-1], value) if one is not None), default=None))
    series = [Series("trials", [known], "dots", 0), Series("best so far", [best[1:]], "line", 1)]
    return el("div", draw(Chart(str(summary.get("monitor")), series, along="trial", first=numbers[0])), class_="charts")


def _curves(study: StudyDir, summary: dict[str, Any]) -> Html:
    """The monitored metric of the best trials, epoch by epoch."""
    monitor = str(summary.get("monitor"))
    series = []
    for place, one in enumerate(mappings(summary.get("ranking"))[:MOST_CURVES]):
        name = str(one.get("run"))
        try:
            history = study.run(name.replace("/", "")).history()
        except RunDirError:
            continue
        series.append(
            Series(f"trial {one.get('trial')}", [[row.get(monitor) for row in history]], "line", place % COLOURS)
        )
    chart = draw(Chart(monitor, series)) if series else None
    return el("div", chart, class_="charts") if chart else NOTHING


def _failed(study: StudyDir) -> Html:
    """Why, of those that did."""
    try:
        with (study.path / "trials.csv").open(encoding="utf-8", newline="") as stream:
            rows = [[row["trial"], row["failure"][:300]] for row in csv.DictReader(stream) if row.get("failure")]
    except (OSError, KeyError, ValueError):
        return NOTHING
    return table("Why", ["trial", "failure"], rows[:MOST_RANKED])
