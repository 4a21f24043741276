"""`python -m bench.many_runs`: how long the commands that look at runs take with 10,000 of them.

One run is trained; copies of the files that such commands read make the others, in 20 names, each with its own id, time
and result. Cold is without the index, warm with it; times are those of whole processes. CPU is user and system time: as
the commands have one thread, a quiet machine takes little more, and other work changes it less than the wall time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.many import cpu_of_children
from bench.measuring import run_process
from dlrun.files import json_text
from dlrun.jobs.entries import Request
from dlrun.jobs.queue import Queue
from dlrun.run_dir import RunDir

NAMES = 20
_COPIED = ("config.yaml", "history.csv", "timing.csv", "log.txt", "packages.txt")
_DLRUN = str(Path(sys.executable).with_name("dlrun"))


def main() -> None:
    """Make the runs, time each command and print a table in Markdown."""
    options = _parser().parse_args()
    with TemporaryDirectory(prefix="dlrun-bench-") as folder:
        outputs = Path(folder) / "outputs"
        began = time.perf_counter()
        ids = make_runs(outputs, options.runs)
        fill_queue(outputs, ids)
        print(f"{options.runs:,} runs made in {time.perf_counter() - began:.0f} s\n")
        print("| command | cold, CPU s | warm, CPU s | warm, wall s (least) |\n| --- | --- | --- | --- |")
        for command in commands(ids):
            (outputs / ".index.sqlite").unlink(missing_ok=True)
            _, cold = seconds(command, outputs)
            seconds(["runs"], outputs)
            walls, cpus = zip(*(seconds(command, outputs) for _ in range(options.times)), strict=True)
            row = (
                f"`dlrun {' '.join(command)}`",
                f"{cold:.2f}",
                f"{median(cpus):.2f}",
                f"{median(walls):.2f} ({min(walls):.2f})",
            )
            print(f"| {' | '.join(row)} |", flush=True)


def commands(ids: list[str]) -> list[list[str]]:
    """What is timed; the first, with nothing to look at, is what a process takes at least."""
    first, second = ids[len(ids) // 3], ids[2 * len(ids) // 3]
    looks = [["runs"], ["runs", "name-7"], ["runs", "--json"], ["show", first], ["show", "-"]]
    return [["--version"], *looks, ["compare", first, second], ["queue", "ls"], ["queue", "ls", "--all"]]


def seconds(command: list[str], outputs: Path) -> tuple[float, float]:
    """Wall and CPU time of a process. Raises SystemExit with what it printed when it fails."""
    printed: list[str] = []
    before = cpu_of_children()
    variables = {"DLRUN_OUTPUTS": str(outputs)}
    wall, _, code = run_process([_DLRUN, *command], variables, lambda line, _seconds: printed.append(line))
    if code:
        raise SystemExit(f"exit code {code} of dlrun {' '.join(command)}\n" + "\n".join(printed[-12:]))
    return wall, cpu_of_children() - before


def make_runs(outputs: Path, count: int) -> list[str]:
    """So many completed runs, a minute from one to the next; their ids."""
    with TemporaryDirectory(prefix="dlrun-bench-") as folder:
        if _run_quietly(["train", "digits", "-s", "training.epochs=3", "--run-dir", f"{folder}/run"]):
            raise SystemExit("the run to be copied failed")
        run = RunDir(Path(folder) / "run")
        record, metrics = run.record(), run.metrics()
        files = {name: (run.path / name).read_bytes() for name in _COPIED}
    return [_make_run(outputs, number, record, metrics, files) for number in range(count)]


def _make_run(
    outputs: Path, number: int, record: dict[str, Any], metrics: dict[str, Any], files: dict[str, bytes]
) -> str:
    started = datetime(2026, 1, 1).astimezone() + timedelta(minutes=number)
    name, run_id = f"name-{number % NAMES}", f"{started:%Y%m%d-%H%M%S}-{number:06x}"
    run = RunDir(outputs / name / run_id)
    run.path.mkdir(parents=True)
    run.checkpoint.mkdir()
    for file, content in files.items():
        (run.path / file).write_bytes(content)
    best = metrics["best"] | {metrics["monitor"]: 0.5 + number / 1e5}
    run.metrics_file.write_text(json.dumps(metrics | {"best": best}))
    run.record_file.write_text(json_text(record | {"id": run_id, "name": name, "started": started.isoformat()}))
    return run_id


def fill_queue(outputs: Path, ids: list[str]) -> None:
    """An entry for each run: most are done, every hundredth waits."""
    queue = Queue(outputs)
    request = Request("name", "", "")
    queue.add([replace(request, run=f"name-{n % NAMES}/{one}", experiment=one) for n, one in enumerate(ids)])
    with queue._writing() as db:
        db.execute("UPDATE jobs SET state = 'done', ended = added WHERE number % 100")


def _run_quietly(command: list[str]) -> int:
    return run_process([_DLRUN, *command], {}, lambda line, _seconds: None)[2]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.many_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="how many (10,000)")
    parser.add_argument("--times", type=int, default=5, help="how often each command is timed (5)")
    return parser


if __name__ == "__main__":
    main()
