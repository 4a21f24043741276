"""A sweep on the screen: its plan, a line for each trial, the ranking at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dlrun.cli._output import echo, number, plain_table, print_json, show, show_labels
from dlrun.cli._output import note as show_note
from dlrun.config.dumping import flow
from dlrun.files import short, typed

if TYPE_CHECKING:
    from rich.table import Table

    from dlrun.studies._study_dir import StudyDir
    from dlrun.studies._sweep_trials import Ended
    from dlrun.studies.sweep import Plan

SHOWN = 5  # trials of the ranking


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """What would be run."""
    sweep = plan.config.sweep
    assert sweep
    space = {name: one.model_dump(exclude_none=True, exclude_defaults=True) for name, one in sweep.space.items()}
    if as_json:
        fields = sweep.model_dump(exclude={"space"})
        print_json({"name": plan.config.name, **fields, "space": space, "jobs": plan.slots, "threads": plan.threads})
        return
    echo(_plan_line(plan))
    for name, one in space.items():
        echo(f"  {name}: {flow(one)}")
    echo("  each: dlrun train STUDY/configs/trial-000.yaml --run-dir STUDY/trial-000")


def _plan_line(plan: Plan) -> str:
    sweep = plan.config.sweep
    assert sweep
    return (
        f"{sweep.n_trials} trials of {len(sweep.space)} keys by {plan.monitor} ({plan.mode}, {sweep.objective}), "
        f"sampler {sweep.sampler}, pruner {sweep.pruner}; {plan.slots} at once, threads of each: {plan.threads}"
    )


def show_begun(plan: Plan, study: StudyDir, *, quiet: bool) -> None:
    """Where the study lies."""
    if not quiet:
        echo(f"study {short(study.path)}", err=True)
        echo(_plan_line(plan), err=True)


def show_resumed(study: StudyDir, *, quiet: bool) -> None:
    """Where the study lies, and how it stands."""
    if not quiet:
        echo(f"study {short(study.path)} ({study.status()})", err=True)


def trial_printer(study: StudyDir, *, quiet: bool) -> Callable[[Ended], None]:
    """Prints one line for each trial that ends."""
    monitor = study.record()["plan"]["monitor"]

    def print_trial(ended: Ended) -> None:
        if quiet:
            return
        if ended.value is not None:
            how = f"{monitor} {number(ended.value)}"
        elif ended.pruned_at is not None:
            how = f"pruned at {ended.pruned_at}"
        else:
            how = f"failed: {ended.failure}"
        echo(f"trial {ended.number:<4} {how:<24} {_values(ended.values)}", err=True)

    return print_trial


def _values(values: dict[str, Any]) -> str:
    return "  ".join(f"{name} {_short_value(value)}" for name, value in values.items())


def _short_value(value: Any) -> str:
    """A number with four digits, anything else as YAML."""
    return f"{value:.4g}" if isinstance(value, float) else flow(value)


def show_end(study: StudyDir, summary: dict[str, Any] | None, *, as_json: bool) -> None:
    """The ranking and what follows, or all of it as JSON; without a summary, that another process makes it."""
    if as_json:
        print_json({"study": study.id, "path": str(study.path), "status": study.status(), "summary": summary})
        return
    if summary is None:
        echo("there is no trial left to begin; the process that has begun the sweep sums it up")
        return
    show(_ranking(summary))
    echo()
    show_labels(_end_rows(study, summary))
    for text in summary["notes"]:
        show_note(text)


def _ranking(summary: dict[str, Any]) -> Table:
    from rich.markup import escape

    table = plain_table("trial", escape(summary["monitor"]), "epochs", "values", left=("values",))
    for row in summary["ranking"][:SHOWN]:
        table.add_row(str(row["trial"]), number(row["value"]), str(row["epochs"]), escape(_values(row["values"])))
    return table


def _end_rows(study: StudyDir, summary: dict[str, Any]) -> list[tuple[str, str]]:
    from rich.markup import escape

    path, best, own = typed(study.path), summary["best"], summary["own"]
    counts = ", ".join(f"{count} {status}" for status, count in summary["counts"].items())
    rows = [("trials", f"{summary['n_trials']}: {counts}")]
    if own and best:
        rows.append(("config as it stands", f"{escape(summary['monitor'])} {number(own['value'])}"))
    if shares := summary["importances"]:
        rows.append(("importance", escape("  ".join(f"{name} {share:.2f}" for name, share in shares.items()))))
    rows.append(("study", escape(short(study.path))))
    if best and summary["objective"] == "holdout":
        rows.append(("next", escape(f"dlrun retrain {path}/{best['run']}    then once: dlrun evaluate -")))
    elif best:
        rows.append(("next", escape(f"dlrun kfold {path}/best.yaml --final")))
    return rows
