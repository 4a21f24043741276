"""What the trials of a sweep say together: ranking, importance of parameters, the best config, pictures."""

from __future__ import annotations

from typing import Any

from optuna.trial import FrozenTrial

from dlrun.config.dumping import dump_config, flow
from dlrun.config.loading import load_config
from dlrun.config.schema import with_section
from dlrun.errors import RunDirError
from dlrun.files import write_json, write_text
from dlrun.run_dir import FORMAT, RunDir
from dlrun.studies._study_dir import StudyDir, write_table
from dlrun.studies._sweep_search import STATES, Search
from dlrun.studies._sweep_space import draw, own_params
from dlrun.studies._sweep_trials import trial_name

BEST_FILE, TABLE_FILE = "best.yaml", "trials.csv"


def write(study: StudyDir, search: Search, planned: dict[str, Any]) -> dict[str, Any]:
    """Write `summary.json`, `trials.csv`, `best.yaml` and the plots, and return the summary."""
    rows = [_row(study, search, trial) for trial in search.trials()]
    summary = summarise(search, planned, rows)
    write_table(study.path / TABLE_FILE, [_cells(row) for row in rows])
    if summary["best"]:
        write_text(study.path / BEST_FILE, _best_config(study, search, summary["best"]["trial"]))
    from dlrun.studies import _sweep_hparams, _sweep_pictures

    _sweep_hparams.write((study.run(row["run"]).tensorboard, row["values"]) for row in rows)
    _sweep_pictures.draw(study.plots, search.trials(), list(search.sweep.space), summary)
    write_json(study.summary_file, summary)
    return summary


def summarise(search: Search, planned: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of `summary.json`; `ranking` has the completed trials, the best one first."""
    sign = 1 if planned["mode"] == "min" else -1
    ranking = sorted((row for row in rows if row["status"] == "completed"), key=lambda row: sign * row["value"])
    own, missing = own_params(search.config, search.sweep.space)
    first = rows[0] if rows and own and search.sweep.sampler != "grid" else None
    counts = {status: sum(row["status"] == status for row in rows) for status in STATES.values()}
    summary = {
        "format": FORMAT,
        "verb": "sweep",
        "name": search.config.name,
        "objective": search.sweep.objective,
        "sampler": search.sweep.sampler,
        "pruner": search.sweep.pruner,
        "monitor": planned["monitor"],
        "mode": planned["mode"],
        "n_trials": len(rows),
        "counts": {status: count for status, count in counts.items() if count},
        "best": ranking[0] if ranking else None,
        "own": first if first and first["status"] == "completed" else None,
        "importances": search.importances(),
        "ranking": ranking,
    }
    return summary | {"notes": _notes(summary, planned, missing)}


def _notes(summary: dict[str, Any], planned: dict[str, Any], missing: str) -> list[str]:
    notes = []
    if summary["best"]:
        notes.append(
            f"the best {summary['monitor']} of {summary['n_trials']} trials is too good: it was chosen by these very "
            "validation rows; what the model is worth, one reading of test says"
        )
    if missing and summary["sampler"] != "grid":
        notes.append(f"the config's own {missing} is not in the space, so it was not tried as it stands")
    if summary["n_trials"] < planned["n_trials"]:
        notes.append(f"the grid has {summary['n_trials']} combinations, all of which were tried")
    return notes


def _row(study: StudyDir, search: Search, trial: FrozenTrial) -> dict[str, Any]:
    """One trial: how it ended, what it set, and what its runs say."""
    runs = sorted(path.parent for path in study.path.glob(f"{trial_name(trial.number)}*/run.json"))
    found = [_run_facts(RunDir(path)) for path in runs]
    alone = found[0] if found and search.sweep.objective == "holdout" else None
    return {
        "trial": trial.number,
        "run": trial_name(trial.number),
        "status": STATES[trial.state],
        "value": trial.value if STATES[trial.state] == "completed" else None,
        "epochs": sum(one["epochs"] for one in found),
        "best_epoch": alone and alone["best_epoch"],
        "original": alone and alone["original"].get(search.config.monitor.metric or "val_loss"),
        "seconds": round(sum(one["seconds"] for one in found), 2),
        "values": draw(trial, search.sweep.space),
        "failure": trial.user_attrs.get("failure"),
        "pruned_at": len(trial.intermediate_values) if STATES[trial.state] == "pruned" else None,
    }


def _run_facts(run: RunDir) -> dict[str, Any]:
    """Epochs, seconds and the best epoch of a run, however it ended."""
    facts: dict[str, Any] = {"seconds": 0.0, "epochs": 0, "best_epoch": None, "original": {}}
    try:
        facts["seconds"] = run.record().get("seconds") or 0.0
        facts["epochs"] = len(run.history())
        metrics = run.metrics()
        return {**facts, "best_epoch": metrics["best_epoch"], "original": metrics.get("best_original") or {}}
    except RunDirError:
        return facts


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `trials.csv`: lists as YAML."""
    plain = {key: value for key, value in row.items() if key not in ("values", "failure")}
    shown = {name: flow(value) if isinstance(value, list | dict) else value for name, value in row["values"].items()}
    return {**plain, **shown, "failure": row["failure"]}


def _best_config(study: StudyDir, search: Search, number: int) -> str:
    """The config of a trial as a user would write it: with what is written, and how often, as in the one searched."""
    config = load_config(study.config_of(trial_name(number)))
    asked = search.config.training
    return dump_config(
        with_section(config, "training", checkpoint_every_seconds=asked.checkpoint_every_seconds, keep=asked.keep)
    )
