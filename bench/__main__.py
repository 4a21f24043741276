"""`python -m bench`: time each plain script and the dlrun run of the same work in turn, and print the ratios."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from bench.machine import machine_line
from bench.many import MANY, ManyResult, measure_many
from bench.measuring import Side, SideFailedError, run_side
from bench.pairs import FOLDER, PAIRS, Pair, data_folders, find_data
from bench.results import Result, geometric_mean
from bench.startup import StartUp, measure_startup
from bench.tables import many_table, markdown, screen_table, write_markdown

NO_DATA = "no data"
NAMES = [one.name for one in (*PAIRS, *MANY)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code is 1 when a pair failed, 0 also when data is missing."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    pairs = [pair for pair in PAIRS if not options.only or pair.name in options.only]
    many = [one for one in MANY if (one.name in options.only if options.only else not options.quick)]
    about = [f"{machine_line()}. {date.today()}, {_what(options)}."]
    console.print(about[0])
    rounds = options.rounds or (1 if options.quick else 3)
    results = measure_all(pairs, rounds, console, quick=options.quick)
    studies = [_measure_study(ManyResult(one), rounds, console) for one in many]
    startup = [] if options.only else _startup(5 if options.quick else 15, console)
    if results:
        console.print(screen_table(results))
    if studies:
        console.print(many_table(studies))
    for item in startup:
        console.print(f"{item.command}: {item.seconds:.3f} s")
    if options.markdown:
        write_markdown(options.markdown, markdown(results, studies, startup, about))
    if options.json:
        options.json.write_text(
            json.dumps(_report(results, studies, startup, about), indent=1) + "\n", encoding="utf-8"
        )
    problems = [result.problem for result in results] + [result.problem for result in studies]
    return int(any(problem and problem != NO_DATA for problem in problems))


def measure_all(pairs: Sequence[Pair], rounds: int, console: Console, *, quick: bool) -> list[Result]:
    """All pairs, one process at a time: script, dlrun, dlrun, script, and so on. A failure ends its own pair only."""
    found = {pair.file: path for pair in pairs if pair.file and (path := find_data(pair.file))}
    results = []
    with data_folders(found) as variables:
        for pair in pairs:
            result = Result(pair)
            results.append(result)
            if pair.file and pair.file not in found:
                result.problem = NO_DATA
                console.print(f"{pair.name}: no data ({pair.file} is neither in $DLRUN_DATA nor in Keras' cache)")
                continue
            try:
                measure(result, rounds, variables, console, quick=quick)
                result.compare_work()
            except SideFailedError as error:
                result.problem = str(error)
            if result.problem:
                console.print(f"{pair.name}: {result.problem}", style="red", markup=False)
    return results


def _measure_study(result: ManyResult, rounds: int, console: Console) -> ManyResult:
    """The result with its figures, or its problem."""
    file = result.many.file
    path = find_data(file) if file else None
    if file and path is None:
        result.problem = NO_DATA
    else:
        with data_folders({file: path} if path else {}) as variables:
            try:
                measure_many(result, rounds, variables, lambda line: console.print(line, highlight=False))
            except SideFailedError as error:
                result.problem = str(error)
    if result.problem:
        console.print(f"{result.many.name}: {result.problem}", style="red", markup=False)
    return result


def measure(result: Result, rounds: int, variables: dict[str, str], console: Console, *, quick: bool) -> None:
    """All rounds of one pair, each line printed as it is measured. Raises SideFailedError."""
    for number in range(rounds):
        for which in ("script", "dlrun") if number % 2 == 0 else ("dlrun", "script"):
            run = run_script if which == "script" else run_dlrun
            side = run(result.pair, variables, quick=quick)
            getattr(result, which).append(side)
            value = side.metrics.get(result.pair.metric, float("nan"))
            console.print(
                f"{result.pair.name:14} round {number + 1}  {which:6} {side.wall:7.2f} s  epoch {side.epoch:8.4f} s  "
                f"{side.memory / 2**20:6.0f} MiB  {side.epochs} x {side.steps} steps  {result.pair.metric} {value:.4g}",
                highlight=False,
            )


def run_script(pair: Pair, variables: dict[str, str], *, quick: bool = False) -> Side:
    """The plain script in a fresh process. Raises SideFailedError."""
    command = [sys.executable, str(FOLDER / "launch.py"), str(pair.script)]
    return run_side(command, {**variables, **(pair.quick_variables() if quick else {})})


def run_dlrun(pair: Pair, variables: dict[str, str], *, quick: bool = False) -> Side:
    """`dlrun train CONFIG` in a fresh process, with an outputs folder of its own. Raises SideFailedError."""
    dlrun = str(Path(sys.executable).with_name("dlrun"))
    with TemporaryDirectory(prefix="dlrun-bench-") as outputs:
        command = [dlrun, "train", str(pair.config), "--outputs", outputs]
        return run_side([*command, *(pair.quick_options() if quick else [])], variables)


def _startup(times: int, console: Console) -> list[StartUp]:
    try:
        return measure_startup(times)
    except SideFailedError as error:
        console.print(f"start-up: {error}", style="red", markup=False)
        return []


def _report(
    results: Sequence[Result], studies: Sequence[ManyResult], startup: Sequence[StartUp], about: Sequence[str]
) -> dict[str, Any]:
    means = {what: geometric_mean(results, what) for what in ("wall", "epoch", "memory")}
    return {
        "about": list(about),
        "pairs": [result.as_json() for result in results],
        "many": [result.as_json() for result in studies],
        "geometric_mean": means,
        "startup": {item.command: item.seconds for item in startup},
    }


def _what(options: argparse.Namespace) -> str:
    rounds = options.rounds or (1 if options.quick else 3)
    return f"{rounds} round{'s' * (rounds > 1)}" + (", shortened (--quick)" if options.quick else "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, few epochs, part of the rows: five minutes")
    parser.add_argument("--rounds", type=int, help="how often each side runs (3)")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES, help="these only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement to FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to FILE, or between its markers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
