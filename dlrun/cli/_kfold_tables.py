"""A k-fold study on the screen: its plan, a line for each fold, the figures at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dlrun.cli._output import echo, fits, number, plain_table, print_json, show, show_labels
from dlrun.cli._output import note as show_note
from dlrun.files import short, typed

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.jobs.local import JobResult
    from dlrun.run_dir import RunDir
    from dlrun.studies._study_dir import StudyDir
    from dlrun.studies.kfold import Plan


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """What would be run."""
    folds = {name: config.split.fold for name, config in plan.folds.items()}
    threads = next(iter(plan.folds.values())).runtime.threads
    if as_json:
        fields = {name: fold.model_dump() for name, fold in folds.items() if fold}
        print_json({"name": plan.config.name, "folds": fields, "jobs": plan.slots, "threads": threads})
        return
    echo(_plan_line(plan))
    for name in folds:
        echo(f"  dlrun train STUDY/configs/{name}.yaml --run-dir STUDY/{name}")


def _plan_line(plan: Plan) -> str:
    config = next(iter(plan.folds.values()))
    threads = f"{config.runtime.threads} thread{'s' if config.runtime.threads != 1 else ''} each"
    return (
        f"{len(plan.folds)} folds (kind {config.split.kind}), {config.training.epochs} epochs, batch size "
        f"{config.training.batch_size}; {plan.slots} at once, {threads}"
    )


def show_begun(plan: Plan, study: StudyDir, earlier: StudyDir | None, *, quiet: bool) -> None:
    """Where the study lies, and an equal one that could go on in its place."""
    if quiet:
        return
    if earlier is not None:
        show_note(f"an equal study was not finished; this one begins anew. dlrun kfold --resume {typed(earlier.path)}")
    echo(f"study {short(study.path)}", err=True)
    echo(_plan_line(plan), err=True)


def show_resumed(study: StudyDir, *, quiet: bool) -> None:
    """Where the study lies, and how it stands."""
    if not quiet:
        echo(f"study {short(study.path)} ({study.status()})", err=True)


def fold_printer(*, quiet: bool) -> Callable[[RunDir, JobResult], None]:
    """Prints one line for each fold that ends."""

    def print_fold(run: RunDir, result: JobResult) -> None:
        if not quiet:
            echo(_fold_line(run, result), err=True)

    return print_fold


def _fold_line(run: RunDir, result: JobResult) -> str:
    from dlrun.studies.kfold import why_failed

    if result.status != "completed":
        return f"{run.id}  {result.status or 'not begun'}: {why_failed(result)}"
    metrics = run.metrics()
    monitor = metrics["monitor"]
    kept = " (done before)" if result.exit_code is None else ""
    last, best = number(metrics["last"].get(monitor)), number(metrics["best"].get(monitor))
    at = f"best {best} at epoch {metrics['best_epoch']}"
    return f"{run.id}  {monitor} {last} after {metrics['epochs']} epochs, {at}; {metrics['seconds']:.1f} s{kept}"


def teller(*, quiet: bool) -> Callable[[str], None]:
    """Prints remarks."""
    return (lambda text: None) if quiet else show_note


def show_end(study: StudyDir, summary: dict[str, Any], *, as_json: bool) -> None:
    """The figures of a study, or all of it as JSON."""
    if as_json:
        print_json({"study": study.id, "path": str(study.path), "status": study.status(), "summary": summary})
        return
    for text in summary["notes"]:
        show_note(text)
    last = "last epoch" if len(set(summary["fold_epochs"])) > 1 else f"epoch {summary['fold_epochs'][0]}"
    at = {last: "metrics", f"epoch {summary['recommended_epochs']}": "best"}
    wide = _metrics(summary, at)
    for table in [wide] if fits(wide) else [_metrics(summary, {heading: key}) for heading, key in at.items()]:
        show(table)
        echo()
    show_labels(_end_rows(study, summary))


def _metrics(summary: dict[str, Any], at: dict[str, str]) -> Table:
    """Mean, spread and interval of what is validated, at some epochs: their headings and keys in the summary."""
    from rich.markup import escape

    headings = [text for heading in at for text in (heading, "95 % interval")]
    table = plain_table("metric", *headings, "baseline", left=("metric",))
    for label, key in (("", ""), (", original units", "_original")):
        for name in summary[f"metrics{key}"]:
            if name.startswith("val_"):
                level = None if key else summary["baselines"].get(name)
                cells = [cell for when in at.values() for cell in _figures(summary[f"{when}{key}"][name])]
                table.add_row(escape(f"{name}{label}"), *cells, "" if level is None else number(level))
    return table


def _figures(figures: dict[str, Any]) -> tuple[str, str]:
    spread = f"[bold]{number(figures['mean'])}[/] ± {number(figures['std'])}"
    return spread, f"{number(figures['low'])} to {number(figures['high'])}"


def _end_rows(study: StudyDir, summary: dict[str, Any]) -> list[tuple[str, str]]:
    from rich.markup import escape

    monitor = summary["monitor"]
    folds = "  ".join(number(value) for value in summary["metrics"][monitor]["folds"])
    smoothing, dropped = summary["smoothing"], summary["dropped_epochs"]
    how = f"moving average, factor {smoothing:.2g}, without the first {dropped}" if smoothing else "not smoothed"
    rows = [(escape(f"{monitor} of the folds, last epoch"), folds)]
    best = f"{summary['recommended_epochs']} of {summary['epochs']} ({'least' if summary['mode'] == 'min' else 'most'} "
    rows.append(("recommended epochs", escape(f"{best}{monitor} of the mean curve, {how})")))
    rows += [("out of fold", text) for text in _out_of_fold(summary["out_of_fold"])]
    rows.append(("intervals", escape(summary["interval"])))
    if final := summary["final"]:
        measured = "there is no test part" if final["metrics"] is None else _flat(final["metrics"])
        rows.append(("final, on test", escape(measured)))
    rows.append(("study", escape(short(study.path))))
    path = escape(typed(study.path))
    then = f"dlrun predict {path}/final INPUT" if final else f"dlrun kfold --resume {path} --final"
    rows.append(("next", f"{then}    dlrun show {path}/{summary['folds'][0]['run']}"))
    return rows


def _out_of_fold(found: dict[str, Any]) -> list[str]:
    from rich.markup import escape

    lines = []
    for name, output in found["outputs"].items():
        owner = f"{name}: " if len(found["outputs"]) > 1 else ""
        unit = f" ({output['unit']})" if output["unit"] else ""
        rows = f"{found['rows']:,} rows, {found['weights']} weights"
        lines.append(escape(f"{owner}{_flat(output['metrics'])}{unit}; {rows}"))
    return lines


def _flat(metrics: dict[str, Any]) -> str:
    """Metrics in one line; those of several outputs one after the other."""
    return "  ".join(
        f"{name}: {_flat(value)}" if isinstance(value, dict) else f"{name} {number(value)}"
        for name, value in metrics.items()
    )
