"""What a finished run comes to: the short table at the end of `train`, and `dlrun show RUN`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from dlrun.cli._options import DEFAULT_OUTPUTS
from dlrun.cli._output import number, print_json, show_labels
from dlrun.config.generate_options import generates
from dlrun.config.scale import deviation_text
from dlrun.config.schema import Expect
from dlrun.expectations import stated_text
from dlrun.files import short, typed
from dlrun.run_dir import RunDir


def show_end(run: RunDir, *, as_json: bool) -> None:
    """The end of a run: best epoch, validation against the baseline, time, where it lies, what to type next."""
    metrics = run.metrics()
    if as_json:
        print_json({"run": run.id, "path": str(run.path), "status": run.status(), "metrics": metrics})
        return
    show_labels(end_rows(run, metrics))


def end_rows(run: RunDir, metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each line of the end table."""
    from rich.markup import escape

    rows = []
    if metrics["validated"]:
        best = f"{metrics['best_epoch']} of {metrics['epochs']} (by {metrics['monitor']})"
        rows.append(("best epoch", escape(best)))
    else:
        same = "; no validation part, so best.keras equals last.keras" if run.model_file("best").exists() else ""
        rows.append(("epochs", f"{metrics['epochs']}{same}"))
    for name, value in metrics["best"].items():
        if name.startswith("val_") == metrics["validated"] and name != "learning_rate":
            rows.append((escape(name), f"[bold]{number(value)}[/]" + _against(name, value, metrics["baselines"])))
    for name, value in metrics.get("measures", {}).items():
        told = str(value) if isinstance(value, int) else number(value)
        rows.append((escape(name), f"[bold]{told}[/]" + _against(name, value, metrics["baselines"])))
    rows += _original_units(metrics)
    record = run.record()
    if shortened := record.get("shortened"):
        rows.append(("scale", escape(f"small: {deviation_text(shortened)}")))
    sample = record.get("sample_data")
    rows += [] if sample else _stated(metrics)
    peak = metrics["peak_memory_bytes"] / 2**20
    per_epoch = metrics["seconds_per_epoch"]
    rows.append(("time", f"{metrics['seconds']:.1f} s, {per_epoch:.3g} s per epoch; peak memory {peak:,.0f} MiB"))
    if sample:
        rows.append(("data", "[yellow]generated stand-in (--sample): the figures mean nothing[/]"))
    rows.append(("run", escape(short(run.path))))
    usual = Path(os.environ.get("DLRUN_OUTPUTS", DEFAULT_OUTPUTS)).absolute()
    name = "-" if run.path.parent.parent == usual else escape(typed(run.path))
    following = [f"dlrun evaluate {name}", f"dlrun {'retrain' if metrics['validated'] else 'predict'} {name}"]
    if not run.model_file("best").exists():
        following = [f"dlrun report {name}"]
    if generates(record.get("builders", {}).get("routine", "")):
        following = [f"dlrun generate {name}", following[0]]
    rows.append(("next", "    ".join(following)))
    return rows


def _stated(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Each result that the source states and this run alone can tell, and whether it is as stated."""
    from rich.markup import escape

    rows: list[tuple[str, str]] = []
    for entry in metrics.get("expect") or []:
        if entry["met"] is not None:
            expect = Expect(**{name: value for name, value in entry.items() if name in Expect.model_fields})
            verdict = "[green]as stated[/]" if entry["met"] else "[yellow]not as stated[/]"
            source = f" ({expect.source})" if expect.source else ""
            text = escape(f"{stated_text(expect)}{source}: {number(entry['measured'])}")
            rows.append(("stated" if not rows else "", f"{text}, {verdict}"))
    return rows


def _against(name: str, value: float | None, baselines: dict[str, float]) -> str:
    """The baseline beside a metric, and whether the model beats it."""
    if name not in baselines:
        return ""
    level, higher_is_better = baselines[name], "acc" in name
    beaten = value is not None and (value > level if higher_is_better else value < level)
    shuffled = baselines.get(f"{name}_shuffled")
    beside = f" (shuffled labels {number(shuffled)})" if shuffled is not None else ""
    return f"  baseline {number(level)}{beside}" + ("" if beaten else "  [red]not better than the baseline[/]")


def _original_units(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Errors in the target's own units, when the target was scaled for training."""
    from rich.markup import escape

    rows = []
    for name, value in metrics.get("best_original", {}).items():
        if name.startswith("val_") == metrics["validated"]:
            level = metrics["baselines_original"].get(name.removeprefix("val_"))
            beside = f"  baseline {number(level)}" if level is not None else ""
            unit = metrics.get("units", {}).get(name)
            label = f"{name} in {unit}" if unit else f"{name}, original units"
            rows.append((escape(label), f"[bold]{number(value)}[/]{beside}"))
    return rows


def show_run(text: str, *, as_json: bool, outputs: Path | None = None) -> None:
    """`dlrun show RUN`: what a run is, how it went, what lies in it. Raises UnknownNameError."""
    from rich.markup import escape

    from dlrun.run_dir import COMPLETED, find_run

    run = find_run(text, outputs or Path(os.environ.get("DLRUN_OUTPUTS", DEFAULT_OUTPUTS)))
    record, status = run.record(), run.status()
    metrics = run.metrics() if status == COMPLETED or run.metrics_file.exists() else None
    if as_json:
        print_json({"path": str(run.path), "run": {**record, "status": status}, "metrics": metrics})
        return
    files = ", ".join(sorted(item.name for item in run.path.iterdir() if item.name[0] != "."))
    end = end_rows(run, metrics) if metrics else [("run", escape(short(run.path)))]
    show_labels([*record_rows(record, status), *end, ("files", escape(files))])


def record_rows(record: dict[str, Any], status: str) -> list[tuple[str, str]]:
    """Label and text for what `run.json` says."""
    from rich.markup import escape

    from dlrun.cli._provenance import provenance_rows

    started = str(record.get("started", "")).removesuffix("+00:00")[:19].replace("T", " ")
    rows = [
        ("name", escape(str(record.get("name", "")))),
        ("status", escape(status)),
        ("started", f"{started} UTC" if started else ""),
    ]
    if record.get("description"):
        rows.append(("about", escape(str(record["description"]))))
    if failure := record.get("failure"):
        rows.append(("failure", f"[red]{escape(str(failure['kind']))}[/]\n{escape(str(failure['message']))}"))
    if status == "interrupted":
        rows.append(("resume", escape(f"dlrun train --resume {record['id']}")))
    split = {k: v for k, v in (record.get("split") or {}).items() if k != "kind"}
    if split:
        counts = ", ".join(f"{n:,} {name}" for name, n in split.items())
        rows.append(("split", escape(f"{record['split']['kind']}: {counts}")))
    rows += provenance_rows(record)
    warnings = [entry for entry in record.get("warnings") or [] if isinstance(entry, dict)]
    rows += [("guard rail", escape(f"{entry.get('message')} [{entry.get('code')}]")) for entry in warnings]
    readings = record.get("test_readings", [])
    rows.append(("test read", f"{len(readings)} time{'s' if len(readings) != 1 else ''}"))
    if checked := [entry for entry in record.get("verifications") or [] if isinstance(entry, dict)]:
        rows.append(("verified", _verified(checked)))
    rows.append(("command", escape(shlex.join(record.get("command") or []))))
    return rows


def _verified(entries: list[dict[str, Any]]) -> str:
    """The latest verification, and what the earlier ones found."""
    last, different = entries[-1], sum(not entry.get("equal") for entry in entries)
    verdict = "[green]equal[/]" if last.get("equal") else "[red]different[/]"
    count = last.get("epochs")
    part = f"{'all' if last.get('whole') else 'the first'} {count} epochs" if count != 1 else "the first epoch"
    earlier = f"; of {len(entries)} times {different} different" if len(entries) > 1 else ""
    return f"{verdict}: {part} repeated on {str(last.get('time', ''))[:10]}{earlier}"
