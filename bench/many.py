"""Many runs from one command, beside a script that loops, or scripts started one after the other."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.measuring import Side, SideFailedError, run_process, run_side
from bench.pairs import FOLDER

HEAD = ("many runs", "script, s", "dlrun, s", "ratio", "CPU of script, s", "of dlrun, s", "ratio", "script measured")
Print = Callable[[str], None]


@dataclass(frozen=True)
class Cost:
    """Wall time, and CPU time of a process and all those it started, in seconds. Other work changes CPU time little."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Many:
    """A `dlrun` command and the script that does the same work: `starts` processes, each of `fits` times `epochs`.

    The script is started `measured` times with `measured_epochs`; the rest is reckoned: a start takes the median of
    those measured, an epoch the median of a steady one.
    """

    name: str
    script: Path
    command: tuple[str, ...]
    file: str = ""
    starts: int = 1
    fits: int = 1
    epochs: int = 30
    measured: int = 1
    measured_epochs: int = 30

    def reckoned(self, sides: Sequence[tuple[Side, float]]) -> Cost:
        """What all the script's work takes, from some starts and their CPU time; epochs have their share of either."""
        rest = self.fits * (self.epochs - self.measured_epochs)
        done = self.fits * self.measured_epochs
        walls = [side.wall + rest * side.epoch for side, _ in sides]
        per_epoch = [cpu * min(1.0, done * side.epoch / side.wall) / done for side, cpu in sides]
        cpus = [cpu + rest * epoch for (_, cpu), epoch in zip(sides, per_epoch, strict=True)]
        return Cost(self.starts * median(walls), self.starts * median(cpus))

    def how(self) -> str:
        """In words, what of the script's work was done."""
        parts = [f"{self.measured} of {self.starts} starts"] if self.measured < self.starts else []
        parts += [f"{self.measured_epochs} of {self.epochs} epochs"] if self.measured_epochs < self.epochs else []
        return f"{' and '.join(parts)}, scaled" if parts else "whole"


DIGITS, DIGITS_CONFIG = FOLDER / "scripts" / "digits.py", str(FOLDER / "configs" / "digits.yaml")
MANY = (
    Many(
        "boston_kfold",
        FOLDER / "scripts" / "boston_kfold.py",
        ("kfold", "book/boston_kfold_500"),
        "boston_housing/boston_housing.npz",
        fits=4,
        epochs=500,
        measured_epochs=6,
    ),
    Many("batch_8", DIGITS, ("batch", DIGITS_CONFIG, "--seeds", "8"), starts=8, measured=4),
    Many("seeds_20", DIGITS, ("batch", DIGITS_CONFIG, "--seeds", "20"), starts=20, measured=4),
)


@dataclass
class ManyResult:
    """All rounds of one entry: what the script's whole work takes, and the command; or why there are none."""

    many: Many
    script: list[Cost] = field(default_factory=list)
    dlrun: list[Cost] = field(default_factory=list)
    problem: str = ""

    def medians(self, what: str) -> tuple[float, float]:
        """Medians of `wall` or `cpu`: script, dlrun."""
        script, dlrun = (median(getattr(cost, what) for cost in costs) for costs in (self.script, self.dlrun))
        return script, dlrun

    def cells(self) -> list[str]:
        """One row of the table."""
        if not self.script or not self.dlrun:
            return [self.many.name, self.problem.splitlines()[0], *[""] * (len(HEAD) - 2)]
        figures = []
        for what in ("wall", "cpu"):
            script, dlrun = self.medians(what)
            figures += [f"{script:.1f}", f"{dlrun:.1f}", f"{script / dlrun:.1f}"]
        return [self.many.name, *figures, self.many.how()]

    def as_json(self) -> dict[str, Any]:
        """Every figure."""
        return asdict(self) | {"many": self.many.name, "script_measured": self.many.how()}


def measure_many(result: ManyResult, rounds: int, variables: dict[str, str], tell: Print) -> None:
    """Both sides in turn: the script's starts divided around each command. Raises SideFailedError."""
    for number in range(rounds):
        half = result.many.measured // 2
        sides = [_run_script(result.many, variables) for _ in range(half)]
        result.dlrun.append(_run_dlrun(result.many, variables))
        sides += [_run_script(result.many, variables) for _ in range(result.many.measured - half)]
        result.script.append(result.many.reckoned(sides))
        script, dlrun = result.script[-1], result.dlrun[-1]
        tell(
            f"{result.many.name:14} round {number + 1}  script {script.wall:8.1f} s, CPU {script.cpu:8.1f} s "
            f"({result.many.how()})  dlrun {dlrun.wall:7.1f} s, CPU {dlrun.cpu:7.1f} s"
        )


def _run_script(many: Many, variables: dict[str, str]) -> tuple[Side, float]:
    before = cpu_of_children()
    command = [sys.executable, str(FOLDER / "launch.py"), str(many.script)]
    side = run_side(command, {**variables, "EPOCHS": str(many.measured_epochs)})
    return side, cpu_of_children() - before


def _run_dlrun(many: Many, variables: dict[str, str]) -> Cost:
    """The command, into an empty folder. Raises SideFailedError with the end of what it printed."""
    tail: list[str] = []
    before = cpu_of_children()
    with TemporaryDirectory(prefix="dlrun-bench-") as outputs:
        command = [str(Path(sys.executable).with_name("dlrun")), *many.command, "--outputs", outputs]
        wall, _, code = run_process(command, variables, lambda line, _seconds: tail.append(line))
    if code:
        raise SideFailedError(f"exit code {code} of {' '.join(command)}\n" + "\n".join(tail[-12:]))
    return Cost(wall, cpu_of_children() - before)


def cpu_of_children() -> float:
    """CPU seconds of all processes that this one and its children have waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
