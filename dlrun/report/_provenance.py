"""Where a run comes from and what it cost: time, machine, versions, code, data, commands."""

from __future__ import annotations

import csv
import shlex
import statistics
from typing import Any

from dlrun.report._curves import Chart, Series, draw
from dlrun.report._markup import NOTHING, Html, el, facts, folded, join, listed, mapping, mappings, real, table
from dlrun.run_dir import RunDir


def timing_section(run: RunDir, record: dict[str, Any], metrics: dict[str, Any]) -> Html:
    """Seconds of the whole and of each epoch, memory."""
    seconds = _epoch_seconds(run)
    peak = real(metrics.get("peak_memory_bytes"))
    steady = real(metrics.get("seconds_per_epoch"))
    rows = [
        ("training", _seconds(real(metrics.get("seconds")))),
        ("whole run", _seconds(real(record.get("seconds")))),
        ("an epoch", _seconds(steady)),
        ("first epoch", _seconds(seconds[0]) if seconds else None),
        ("slowest later epoch", _seconds(max(seconds[1:])) if len(seconds) > 2 else None),
        ("median epoch", _seconds(statistics.median(seconds)) if seconds else None),
        ("peak memory", f"{peak / 2**20:,.0f} MiB" if peak else None),
    ]
    chart = draw(Chart("seconds per epoch", [Series("seconds", [seconds])])) if len(seconds) > 2 else None
    return join([facts(rows), folded("Each epoch", el("div", chart, class_="charts")) if chart else None])


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:,.3g} s"


def _epoch_seconds(run: RunDir) -> list[float]:
    try:
        with run.timing_file.open(encoding="utf-8", newline="") as stream:
            return [float(row["seconds"]) for row in csv.DictReader(stream)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def provenance_section(run: RunDir, record: dict[str, Any]) -> Html:
    """All collapsed: nobody reads it until something cannot be repeated."""
    if not record:
        return NOTHING
    return join(
        [
            folded("How to repeat it", _commands(run, record)),
            folded("Versions", _pairs("Packages a result depends on", record.get("versions"))),
            folded("Machine", _pairs("Machine", _machine(record)), _pairs("Variables", record.get("variables"))),
            folded("Code", _code(record)),
            folded("Data", _data(record)),
            folded("Sessions and readings of test", _sessions(record)),
        ]
    )


def _commands(run: RunDir, record: dict[str, Any]) -> Html:
    command = record.get("command")
    typed = shlex.join(map(str, command)) if isinstance(command, list) else ""
    rows = {
        "typed": typed,
        "in the folder": record.get("folder"),
        "again, with every value": f"dlrun train {run.config_file}",
        "and compared bit by bit": f"dlrun verify {run.path}",
        "identity": record.get("identity"),
    }
    return _pairs("Commands", {name: value for name, value in rows.items() if value})


def _machine(record: dict[str, Any]) -> dict[str, Any]:
    return {"device": record.get("device"), "threads": record.get("threads"), **mapping(record.get("machine"))}


def _pairs(caption: str, values: Any) -> Html:
    return table(caption, ["name", "value"], [[str(key), str(value)] for key, value in mapping(values).items()])


def _code(record: dict[str, Any]) -> Html:
    rows = []
    for one in mappings(record.get("git")):
        of = one.get("of")
        changed = "changed, see " + str(mapping(one.get("patch")).get("file")) if one.get("patch") else "as committed"
        rows.append(
            [
                str(one.get("root")),
                ", ".join(map(str, of)) if isinstance(of, list) else "",
                str(one.get("commit"))[:12],
                changed,
            ]
        )
    built = [[str(kind), str(path)] for kind, path in mapping(record.get("builders")).items()]
    repositories = table("Repositories", ["folder", "holds", "commit", "state"], rows)
    return join([repositories, table("Files behind the names", ["section", "file"], built)])


def _data(record: dict[str, Any]) -> Html:
    data = mapping(record.get("data"))
    files = [
        [str(one.get("name")), one["bytes"] if isinstance(one.get("bytes"), int) else ""]
        for one in mappings(data.get("files"))
    ]
    told = [("content", str(data.get("content", ""))[:16]), ("split", str(data.get("split", ""))[:16])]
    return join([facts(told), table("Files", ["file", "bytes"], files), _classes(mapping(data.get("classes")))])


def _classes(classes: dict[str, Any], most: int = 30) -> Html:
    parts = []
    for task, counts in classes.items():
        by_part = {str(name): mapping(one) for name, one in mapping(counts).items()}
        labels = list(dict.fromkeys(label for one in by_part.values() for label in one))
        rows = [[label, *(one.get(label) for one in by_part.values())] for label in labels[:most]]
        more = f", the first {most} of {len(labels):,}" if len(labels) > most else ""
        parts.append(table(f"Rows of each class of {task}{more}", ["class", *by_part], rows))
    return join(parts)


def _sessions(record: dict[str, Any]) -> Html:
    sessions = [
        [str(one.get("started"))[:19], str(one.get("ended", ""))[:19], str(one.get("status", "without an end"))]
        for one in mappings(record.get("sessions"))
    ]
    readings = [
        f"{str(one.get('time'))[:19]} {one.get('model')}: {one.get('file')}"
        for one in mappings(record.get("test_readings"))
    ]
    told = el("p", "The test part was not read." if not readings else "The test part was read:")
    return join([table("Sessions", ["began", "ended", "status"], sessions), told, listed(readings)])
