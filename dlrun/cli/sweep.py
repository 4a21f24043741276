"""`dlrun sweep`: a search for better values of a config's keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import DataDir, Json, Outputs, Quiet, Sample, Set

if TYPE_CHECKING:
    from dlrun.studies.sweep import Plan


def sweep(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file with a section `sweep`, or the name of a shipped config.",
            autocompletion=_options.complete_config,
        ),
    ] = None,
    overrides: Set = None,
    trials: Annotated[
        int | None, typer.Option("--trials", "-n", min=1, help="Trials in all, those before a restart counted.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Trials at once. Default: one per GPU, or per core.")
    ] = None,
    sampler: Annotated[
        Literal["random", "tpe", "cmaes", "grid", "qmc"] | None, typer.Option(help="How values are drawn.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="URL of Optuna's storage. Default: a journal in the study.", metavar="URL")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="STUDY", help="Do what is missing of a sweep, or help where one is going on."),
    ] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    data_dir: DataDir = None,
    sample: Sample = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; run nothing.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search `sweep.space` for better values: each trial is an ordinary run, hopeless ones are stopped early."""
    from dlrun.cli import _sweep_tables as tables
    from dlrun.config.overrides import setting
    from dlrun.studies import sweep as study_of
    from dlrun.studies._study_dir import study_to_resume

    if (config is None) == (resume is None):
        raise typer.BadParameter("give a CONFIG, or --resume STUDY", param_hint="CONFIG")
    stated = {"sweep.n_trials": trials, "sweep.sampler": sampler, "sweep.storage": storage}
    options = [*(overrides or []), *(setting(key, value) for key, value in stated.items() if value is not None)]
    options += _options.data_overrides(data_dir, sample=sample)
    if resume is not None:
        if overrides or sampler or storage or data_dir or sample or dry_run:
            raise typer.BadParameter("a sweep goes on as it was begun; --trials may change", param_hint="--resume")
        study = study_to_resume(resume, outputs, "sweep")
        tables.show_resumed(study, quiet=quiet)
    else:
        plan = _plan(str(config), options, jobs)
        if dry_run:
            tables.show_plan(plan, as_json=as_json)
            return
        study = study_of.begin(plan, outputs)
        tables.show_begun(plan, study, quiet=quiet)
    summary = study_of.run(
        study,
        study_of.Options(trials, jobs),
        command=["dlrun", *sys.argv[1:]],
        on_end=tables.trial_printer(study, quiet=quiet),
    )
    tables.show_end(study, summary, as_json=as_json)


def _plan(config: str, options: list[str], jobs: int | None) -> Plan:
    from dlrun.environment import available_cores
    from dlrun.studies.sweep import plan

    loaded = _options.load(config, options, to_train=True)
    if loaded.sweep:
        _options.check_sweep(config, options, loaded)
    return plan(loaded, jobs=jobs, cores=available_cores(), gpus=_options.gpus_to_share(loaded))
