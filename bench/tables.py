"""Results as a table on the screen and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from bench.many import HEAD as MANY_HEAD
from bench.many import ManyResult
from bench.results import Result, geometric_mean
from bench.startup import StartUp

BEGIN, END = "<!-- measured by python -m bench -->", "<!-- end -->"
HEAD = ("pair", "epochs x steps", "process, s", "ratio", "epoch, s", "ratio", "memory, MiB", "ratio", "last epoch")
SCALES = {"wall": 1, "epoch": 1, "memory": 2**20}


def cells(result: Result) -> list[str]:
    """One row of the table, values as `script / dlrun`; a pair without a measurement says why in its second cell."""
    if not result.measured:
        return [result.pair.name, result.problem.splitlines()[0], *[""] * (len(HEAD) - 2)]
    row = [result.pair.name, f"{result.dlrun[-1].epochs} x {result.dlrun[-1].steps}"]
    for what, scale in SCALES.items():
        script, dlrun = (value / scale for value in result.medians(what))
        row += [f"{_figure(script)} / {_figure(dlrun)}", f"{script / dlrun:.2f}"]
    values = " / ".join("?" if value is None else f"{value:.3f}" for value in result.final())
    return [*row, f"{result.pair.metric} {values}"]


def mean_cells(results: Sequence[Result]) -> list[str]:
    """The last row: geometric means of the ratios."""
    means = [geometric_mean(results, what) for what in SCALES]
    return ["mean", "", *(cell for mean in means for cell in ("", "" if mean is None else f"{mean:.2f}")), ""]


def screen_table(results: Sequence[Result]) -> Table:
    """All results for a terminal."""
    table = Table(*HEAD, title="script / dlrun, medians; ratios above 1: dlrun is faster or smaller", box=None)
    for row in [*map(cells, results), mean_cells(results)]:
        table.add_row(*row)
    return table


def many_table(results: Sequence[ManyResult]) -> Table:
    """Commands that make many runs, for a terminal."""
    table = Table(*MANY_HEAD, box=None)
    for result in results:
        table.add_row(*result.cells())
    return table


def markdown(
    results: Sequence[Result], studies: Sequence[ManyResult], startup: Sequence[StartUp], about: Sequence[str]
) -> str:
    """Machine, table, problems and start-up times as Markdown."""
    lines = [
        *about,
        "Values are script / dlrun, ratios above 1 are in favour of dlrun.",
        "",
        _row(HEAD),
        _row(["---"] * len(HEAD)),
    ]
    lines += [_row(row) for row in [*map(cells, results), mean_cells(results)]]
    problems = [f"- {result.pair.name}: {result.problem.splitlines()[0]}" for result in results if result.problem]
    lines += ["", *problems] if problems else []
    if studies:
        lines += ["", _row(MANY_HEAD), _row(["---"] * len(MANY_HEAD)), *(_row(one.cells()) for one in studies)]
    if startup:
        lines += ["", _row(["command", "seconds", "of the bare program"]), _row(["---"] * 3)]
        lines += [_row([f"{s.command}", f"{s.seconds:.3f}", f"{s.seconds / startup[0].seconds:.2f}"]) for s in startup]
    return "\n".join(lines) + "\n"


def write_markdown(path: Path, text: str) -> None:
    """Put the text between the two markers of a page that has them; else it becomes the whole file."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    path.write_text(f"{before}{begin}\n{text}{end}{after}" if end else text, encoding="utf-8")


def _row(values: Sequence[str]) -> str:
    return "| " + " | ".join(values) + " |"


def _figure(value: float) -> str:
    """Three figures, and no decimals from 100 on."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"
