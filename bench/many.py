"""Many runs from one command, beside a script that loops, or scripts started one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.measuring import Side, SideFailedError, run_process, run_side
from bench.pairs import FOLDER

HEAD = ("many runs", "script, s", "dlrun, s", "ratio", "how the script was measured")
Print = Callable[[str], None]


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

    def reckoned(self, sides: Sequence[Side]) -> float:
        """Seconds of all the script's work."""
        rest = self.fits * (self.epochs - self.measured_epochs)
        return self.starts * median(side.wall + rest * side.epoch for side in sides)

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
    """All rounds of one entry: seconds of the script's whole work, of the command; or why there are none."""

    many: Many
    script: list[float] = field(default_factory=list)
    dlrun: list[float] = field(default_factory=list)
    problem: str = ""

    @property
    def ratio(self) -> float:
        """Script over dlrun, medians."""
        return median(self.script) / median(self.dlrun)

    def cells(self) -> list[str]:
        """One row of the table."""
        if not self.script or not self.dlrun:
            return [self.many.name, self.problem.splitlines()[0], *[""] * (len(HEAD) - 2)]
        seconds = [f"{median(values):.1f}" for values in (self.script, self.dlrun)]
        return [self.many.name, *seconds, f"{self.ratio:.1f}", self.many.how()]

    def as_json(self) -> dict[str, Any]:
        """Every figure."""
        found = asdict(self) | {"ratio": self.ratio if self.script and self.dlrun else None}
        return found | {"many": self.many.name, "script_measured": self.many.how()}


def measure_many(result: ManyResult, rounds: int, variables: dict[str, str], tell: Print) -> None:
    """Both sides in turn: the script's starts divided around each command. Raises SideFailedError."""
    for number in range(rounds):
        half = result.many.measured // 2
        sides = [_run_script(result.many, variables) for _ in range(half)]
        result.dlrun.append(_run_dlrun(result.many, variables))
        sides += [_run_script(result.many, variables) for _ in range(result.many.measured - half)]
        result.script.append(result.many.reckoned(sides))
        tell(
            f"{result.many.name:14} round {number + 1}  script {result.script[-1]:8.1f} s ({result.many.how()})  "
            f"dlrun {result.dlrun[-1]:7.1f} s"
        )


def _run_script(many: Many, variables: dict[str, str]) -> Side:
    command = [sys.executable, str(FOLDER / "launch.py"), str(many.script)]
    return run_side(command, {**variables, "EPOCHS": str(many.measured_epochs)})


def _run_dlrun(many: Many, variables: dict[str, str]) -> float:
    """Wall seconds of the command, into an empty folder. Raises SideFailedError with the end of what it printed."""
    tail: list[str] = []
    with TemporaryDirectory(prefix="dlrun-bench-") as outputs:
        command = [str(Path(sys.executable).with_name("dlrun")), *many.command, "--outputs", outputs]
        wall, _, code = run_process(command, variables, lambda line, _seconds: tail.append(line))
    if code:
        raise SideFailedError(f"exit code {code} of {' '.join(command)}\n" + "\n".join(tail[-12:]))
    return wall
