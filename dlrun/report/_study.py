"""The report of a study: of a k-fold the folds and what they say together, of a sweep its trials."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any

from dlrun.errors import RunDirError
from dlrun.report._config import config_section
from dlrun.report._folds import folds_sections, folds_verdict
from dlrun.report._markup import Html, el, folded, join, mapping
from dlrun.report._page import Section, Top, page, part
from dlrun.report._pictures import pictures
from dlrun.report._trials import trials_sections, trials_verdict
from dlrun.report._words import duration
from dlrun.studies._study_dir import StudyDir


def study_page(study: StudyDir) -> str:
    """The page of a study, whatever is left of it. Raises RunDirError when it has lost its record."""
    record, status = study.record(), study.status()
    summary = _summary_of(study)
    sweep = record.get("verb") == "sweep"
    own = trials_sections if sweep else folds_sections
    sections: list[Section | None] = [
        part("notes", "Notes", _notes, record, summary),
        *own(study, summary),
        part("plots", "Plots", _plots, study) if sweep else None,
        part("config", "Config", _config, study),
        part("provenance", "Where it comes from", _provenance, study, record),
    ]
    verdict = [] if not summary else trials_verdict(summary) if sweep else folds_verdict(summary)
    if not summary:
        verdict = [
            f"The study is {status}; it has no summary yet. Go on with: dlrun {record.get('verb')} --resume {study.id}"
        ]
    return page(_top(study, record, status, verdict), sections)


def _summary_of(study: StudyDir) -> dict[str, Any]:
    try:
        return study.summary()
    except RunDirError:
        return {}


def _top(study: StudyDir, record: dict[str, Any], status: str, verdict: list[str]) -> Top:
    plan = mapping(record.get("plan"))
    told = [
        ("started", str(record.get("started", ""))[:16].replace("T", " ")),
        ("took", _took(record)),
        ("at once", plan.get("slots")),
    ]
    under = f"{record.get('verb')} study {study.id}"
    return Top(str(record.get("name") or study.path.parent.name), under, status, verdict, told)


def _took(record: dict[str, Any]) -> str | None:
    try:
        begun, ended = (datetime.fromisoformat(str(record[key])) for key in ("started", "ended"))
        return duration((ended - begun).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _notes(record: dict[str, Any], summary: dict[str, Any]) -> Html:
    notes = summary.get("notes")
    parts = [el("p", str(note), class_="note") for note in (notes if isinstance(notes, list) else [])]
    failure = record.get("failure")
    return join([el("p", str(failure), class_="note bad") if failure else None, *parts])


def _plots(study: StudyDir) -> Html:
    found = [(path, path.stem.replace("_", " ")) for path in sorted(study.plots.glob("*.png"))]
    return folded(f"{len(found)} pictures", pictures(found, study.path)) if found else join([])


def _config(study: StudyDir) -> Html:
    return (
        config_section(study.config_file, study.path / "plugins", settled=False)
        if study.config_file.exists()
        else join([])
    )


def _provenance(study: StudyDir, record: dict[str, Any]) -> Html:
    command = record.get("command")
    typed = shlex.join(map(str, command)) if isinstance(command, list) else ""
    runs = "Each run has its own report: dlrun report "
    return join(
        [el("p", "Typed: ", el("code", typed)) if typed else None, el("p", runs, el("code", f"{study.path}/RUN"))]
    )
