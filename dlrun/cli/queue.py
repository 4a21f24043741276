"""`dlrun queue`: the queue that `dlrun batch` fills and works on."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Set
from dlrun.cli._output import echo
from dlrun.cli.batch import Gpus, Jobs, PerGpu, box_of

if TYPE_CHECKING:
    from dlrun.jobs.entries import Entry
    from dlrun.jobs.queue import Queue


class _ListByDefault(typer.core.TyperGroup):
    """`dlrun queue` is `dlrun queue ls`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["ls"])


app = typer.Typer(
    cls=_ListByDefault,
    help="Show and change the queue that `dlrun batch` works on. `dlrun queue` is `dlrun queue ls`.",
)
Numbers = Annotated[list[int], typer.Argument(metavar="JOB", help="Numbers, as `dlrun queue ls` shows them.")]
SomeNumbers = Annotated[list[int] | None, typer.Argument(metavar="JOB", help="Numbers; without: the whole queue.")]


@app.command("ls")
def ls(
    every: Annotated[bool, typer.Option("--all", "-a", help="Those that are done or cancelled, too.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="How many, around the next one that waits.")] = 50,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """What waits, runs and has failed."""
    from dlrun.cli._output import print_json
    from dlrun.cli._queue_tables import show_entries, values_of
    from dlrun.jobs.endings import BROKEN, OPEN, STATES

    queue = _open(outputs)
    entries = queue.entries(states=STATES if every else (*OPEN, BROKEN)) if queue else []
    if as_json:
        paused = queue.paused() if queue else False
        print_json({"paused": paused, "jobs": [values_of(entry, queue) for entry in entries if queue]})
    elif queue:
        show_entries(entries, queue, most)
    else:
        echo(f"there is no queue under {outputs}/ yet; fill it: dlrun batch CONFIG...")


@app.command("add")
def add(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", autocompletion=_options.complete_config)],
    overrides: Set = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Each config so often, with seeds of its own.")] = None,
    jobs: Jobs = None,
    gpus: Gpus = None,
    per_gpu: PerGpu = 1,
    rerun: Annotated[bool, typer.Option("--rerun", help="Add also what has an equal completed run.")] = False,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Queue runs for a `dlrun batch` that works on the queue now, or later. Options as there."""
    from dlrun.jobs.queue import Queue
    from dlrun.studies import batch as study

    planned = study.plan(configs, overrides or [], box_of(gpus, per_gpu, jobs), seeds=seeds, jobs=jobs)
    queue = Queue(outputs)
    entries = study.enqueue(study.find_equal(planned, outputs), queue, rerun=rerun)
    _tell(entries, queue, as_json=as_json)


@app.command("pause")
def pause(jobs: SomeNumbers = None, outputs: Outputs = _options.DEFAULT_OUTPUTS, as_json: Json = False) -> None:
    """Begin nothing new, or not these; what runs goes on."""
    _pause(jobs or [], outputs, paused=True, as_json=as_json)


@app.command("resume")
def resume(jobs: SomeNumbers = None, outputs: Outputs = _options.DEFAULT_OUTPUTS, as_json: Json = False) -> None:
    """End a pause."""
    _pause(jobs or [], outputs, paused=False, as_json=as_json)


@app.command("cancel")
def cancel(jobs: Numbers, outputs: Outputs = _options.DEFAULT_OUTPUTS, as_json: Json = False) -> None:
    """Take runs out of the queue; those under way are stopped, with a checkpoint."""
    from dlrun.jobs.endings import RUNNING
    from dlrun.jobs.starting import SeenProcess
    from dlrun.processes import alive

    queue = _needed(outputs)
    entries = queue.cancel(jobs)
    for entry in entries:
        watched = alive(entry.owner or {}) and entry.owner != entry.process  # then its owner stops it
        if entry.state == RUNNING and entry.process and not watched:
            SeenProcess(entry.process).terminate()
    _tell(entries, queue, as_json=as_json)


@app.command("retry")
def retry(jobs: Numbers, outputs: Outputs = _options.DEFAULT_OUTPUTS, as_json: Json = False) -> None:
    """Queue failed or cancelled runs again; they go on from their checkpoints."""
    queue = _needed(outputs)
    _tell(queue.retry(jobs), queue, as_json=as_json)


@app.command("logs")
def logs(
    job: Annotated[int, typer.Argument(help="Its number, as `dlrun queue ls` shows it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
) -> None:
    """What a run has printed."""
    from dlrun.jobs.endings import OPEN, output_of

    queue = _needed(outputs)
    (entry,) = queue.find([job])
    file = output_of(queue.job(entry).run_dir)
    if not file.exists() and not follow:
        echo(f"job {job} has printed nothing yet", err=True)
        return
    place = _print_from(file, 0)
    while follow and queue.find([job])[0].state in OPEN:
        time.sleep(0.3)
        place = _print_from(file, place)
    _print_from(file, place)


def _print_from(file: Path, place: int) -> int:
    """Print what stands in a file from this byte on; where it ends."""
    if not file.exists():
        return place
    with file.open("rb") as stream:
        stream.seek(place)
        content = stream.read()
    if content:
        echo(content.decode(errors="replace").removesuffix("\n"))
    sys.stdout.flush()
    return place + len(content)


def _pause(numbers: Sequence[int], outputs: Path, *, paused: bool, as_json: bool) -> None:
    queue = _needed(outputs)
    queue.pause(numbers, paused=paused)
    if numbers or as_json:
        _tell(queue.find(numbers), queue, as_json=as_json)
    else:
        echo("paused; end it: dlrun queue resume" if paused else "the queue goes on")


def _tell(entries: Sequence[Entry], queue: Queue, *, as_json: bool) -> None:
    from dlrun.cli._output import print_json
    from dlrun.cli._queue_tables import state_text, values_of
    from dlrun.files import short

    if as_json:
        values: dict[str, Any] = {"paused": queue.paused(), "jobs": [values_of(entry, queue) for entry in entries]}
        print_json(values)
        return
    for entry in entries:
        echo(f"job {entry.number} {state_text(entry)}: {short(queue.job(entry).run_dir)}")


def _open(outputs: Path) -> Queue | None:
    from dlrun.jobs.queue import Queue

    return Queue(outputs) if (outputs / "queue.sqlite").exists() else None


def _needed(outputs: Path) -> Queue:
    """The queue. Raises JobError when there is none."""
    from dlrun.errors import JobError

    queue = _open(outputs)
    if queue is None:
        raise JobError(f"there is no queue under {outputs}/", hint="fill it: dlrun batch CONFIG...")
    return queue
