"""How long short commands take, beside the least that a program with the same command-line library takes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measuring import seconds_of
from bench.pairs import FOLDER

BARE = "import typer; app = typer.Typer(); app.command()(lambda: None); app()"


@dataclass(frozen=True)
class StartUp:
    """Median wall seconds of a command."""

    command: str
    seconds: float


def measure_startup(times: int) -> list[StartUp]:
    """The bare typer program first, then dlrun's commands, `times` processes each. Raises SideFailedError."""
    dlrun = str(Path(sys.executable).with_name("dlrun"))
    with TemporaryDirectory(prefix="dlrun-bench-") as empty:
        commands = {
            "bare typer program --help": [sys.executable, "-c", BARE, "--help"],
            "dlrun --help": [dlrun, "--help"],
            "dlrun check imdb_dense.yaml": [dlrun, "check", str(FOLDER / "configs" / "imdb_dense.yaml")],
            "dlrun runs": [dlrun, "runs", "--outputs", empty],
        }
        return [StartUp(name, seconds_of(command, times)) for name, command in commands.items()]
