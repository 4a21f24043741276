"""`dlrun batch`: many configs, from a durable queue, over the GPUs or cores of this machine, or a Ray cluster."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import DataDir, Json, Outputs, Quiet, Sample, Set

if TYPE_CHECKING:
    from dlrun.jobs.leases import Box

Gpus = Annotated[str | None, typer.Option("--gpus", metavar="LIST", help="0-3, 0,2, UUIDs, all or none. Default: all.")]
PerGpu = Annotated[int, typer.Option("--per-gpu", min=1, help="Runs on each GPU at once.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Runs at once. Default: as many as GPUs, or cores.")
]

Address = Annotated[
    str, typer.Option("--address", help="Of the Ray cluster: auto (one this machine is part of), HEAD:6379, or local.")
]


class EngineName(StrEnum):
    """Who starts the runs."""

    local = "local"
    ray = "ray"


def batch(
    context: typer.Context,
    configs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONFIG",
            help="Files, folders, patterns, shipped names, or files that list them. Without: what waits in the queue.",
            autocompletion=_options.complete_config,
        ),
    ] = None,
    overrides: Set = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Each config so often, with seeds of its own.")] = None,
    jobs: Jobs = None,
    gpus: Gpus = None,
    per_gpu: PerGpu = 1,
    engine: Annotated[EngineName, typer.Option("--engine", help="This machine, or a Ray cluster.")] = EngineName.local,
    address: Address = "auto",
    rerun: Annotated[bool, typer.Option("--rerun", help="Run also what has an equal completed run.")] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast/--keep-going", help="Whether one failure stops all (default: no).")
    ] = False,
    max_failures: Annotated[int | None, typer.Option(min=1, help="Stop all after so many failures.")] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    data_dir: DataDir = None,
    sample: Sample = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; run nothing.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run many configs, as many at once as the machine has room for; killing it loses nothing."""
    from dlrun.cli import _batch_tables as tables
    from dlrun.cli._batch_board import watching
    from dlrun.jobs.endings import DONE, OPEN
    from dlrun.jobs.queue import Queue
    from dlrun.studies import batch as study

    if fail_fast and max_failures is not None:
        raise typer.BadParameter("--fail-fast is --max-failures 1; give one of them", param_hint="--max-failures")
    options = [*(overrides or []), *_options.data_overrides(data_dir, sample=sample)]
    box = _cluster(context, address, gpus, per_gpu, jobs) if engine is EngineName.ray else box_of(gpus, per_gpu, jobs)
    planned = study.find_equal(study.plan(configs, options, box, seeds=seeds, jobs=jobs), outputs) if configs else []
    if dry_run:
        tables.show_plan(planned, box, rerun=rerun, as_json=as_json)
        return
    queue = Queue(outputs)
    entries = study.enqueue(planned, queue, rerun=rerun) if configs else queue.entries()
    skipped = [one for one in planned if one.equal is not None and not rerun]
    tables.tell_begin(entries, skipped, box, paused=queue.paused(), quiet=quiet)
    wanted = {entry.number for entry in entries} if configs else None
    with watching(queue, quiet=quiet, as_json=as_json) as on_look:
        ended = study.run(queue, box, wanted, 1 if fail_fast else max_failures, on_look)
    if wanted is None:
        before = {entry.number for entry in entries if entry.state not in OPEN}
        ended = [entry for entry in ended if entry.number not in before]
    tables.show_end(study.summarise(ended, queue), skipped, as_json=as_json)
    if any(entry.state != DONE for entry in ended):
        raise typer.Exit(1)


def _cluster(context: typer.Context, address: str, gpus: str | None, per_gpu: int, jobs: int | None) -> Box:
    """Join the Ray cluster; what it lends."""
    from dlrun.jobs.ray_engine import cluster_box, connect, leave

    if gpus is not None:
        raise typer.BadParameter("Ray chooses the GPUs; there is --per-gpu and --jobs", param_hint="--gpus")
    connect(address)
    context.call_on_close(leave)
    return cluster_box(jobs, per_gpu)


def box_of(gpus: str | None, per_gpu: int, jobs: int | None) -> Box:
    """What this machine lends to the runs of this command."""
    from dlrun.environment import available_cores
    from dlrun.jobs.leases import Box, choose_gpus, gpus_there

    there = gpus_there()
    chosen = choose_gpus(gpus, list(there))
    memory = {gpu: there[gpu] for gpu in chosen if there[gpu]}
    cores = available_cores()
    at_once = jobs or (len(chosen) * per_gpu if chosen else cores)
    return Box(chosen, per_gpu, cores, at_once, memory, limited=jobs is not None)
