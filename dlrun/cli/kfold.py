"""`dlrun kfold`: K-fold cross-validation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import DataDir, Json, Outputs, Quiet, Sample, Scale, Set

if TYPE_CHECKING:
    from dlrun.studies._study_dir import StudyDir
    from dlrun.studies.kfold import Plan


def kfold(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or the name of a shipped config.",
            autocompletion=_options.complete_config,
        ),
    ] = None,
    overrides: Set = None,
    scale: Scale = "book",
    n_splits: Annotated[int | None, typer.Option("--n-splits", "-k", help="Number of folds (default 4).")] = None,
    repeats: Annotated[int | None, typer.Option(help="All folds so often, reshuffled before each.")] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Folds at once. Default: one per GPU, or per core.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="STUDY", help="Do what is missing of a study.")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Then train on all rows but test, and read test once.")
    ] = False,
    final_batch_size: Annotated[int | None, typer.Option(min=1, help="Batch size of the final model.")] = None,
    weights: Annotated[
        Literal["last", "best"] | None,
        typer.Option(help="Which weights of a fold predict its held-out rows (default last)."),
    ] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    data_dir: DataDir = None,
    sample: Sample = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; run nothing.")] = False,
    sum_up: Annotated[
        str | None, typer.Option("--sum-up", hidden=True, help="What a study asks its worker for.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train every fold of a cross-validation, each an ordinary run, and say what they say together."""
    from dlrun.jobs.local import worker_ahead

    if sum_up is None and (config is None) == (resume is None):
        raise typer.BadParameter("give a CONFIG, or --resume STUDY", param_hint="CONFIG")
    with worker_ahead(wanted=not (dry_run or sum_up)) as worker:
        from dlrun.cli import _kfold_tables as tables
        from dlrun.config.overrides import setting
        from dlrun.studies import kfold as study_of
        from dlrun.studies._study_dir import find_study, study_to_resume

        if sum_up is not None:
            study_of.sum_up(find_study(sum_up, outputs), weights)
            return
        stated = {"kfold.n_splits": n_splits, "kfold.repeats": repeats}
        options = [*(overrides or []), *(setting(key, value) for key, value in stated.items() if value is not None)]
        options += _options.data_overrides(data_dir, sample=sample)
        if resume is not None:
            if options or dry_run or scale == "small":
                raise typer.BadParameter("a study goes on under the plan it was begun with", param_hint="--resume")
            study = study_to_resume(resume, outputs, "kfold")
            tables.show_resumed(study, quiet=quiet)
        else:
            plan = _plan(str(config), options, jobs, scale)
            if dry_run:
                tables.show_plan(plan, as_json=as_json)
                return
            study = _begin(plan, outputs, quiet=quiet)
        chosen = study_of.Options(weights, final, final_batch_size, jobs)
        summary = study_of.run(
            study,
            chosen,
            command=["dlrun", *sys.argv[1:]],
            on_end=tables.fold_printer(quiet=quiet),
            tell=tables.teller(quiet=quiet),
            worker=worker,
        )
        tables.show_end(study, summary, as_json=as_json)


def _plan(config: str, options: list[str], jobs: int | None, scale: str) -> Plan:
    from dlrun.environment import available_cores
    from dlrun.studies.kfold import plan

    loaded = _options.load(config, options, to_train=True, scale=scale)
    return plan(loaded, jobs=jobs, cores=available_cores(), gpus=_options.gpus_to_share(loaded))


def _begin(plan: Plan, outputs: Path, *, quiet: bool) -> StudyDir:
    from dlrun.cli import _kfold_tables as tables
    from dlrun.studies.kfold import begin, unfinished

    earlier = unfinished(plan, outputs)
    study = begin(plan, outputs)
    tables.show_begun(plan, study, earlier, quiet=quiet)
    return study
