"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and the result only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print what Keras and TensorFlow log, too.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="Override a key: -s model.units=128; ~key drops it. Repeatable."),
]
Outputs = Annotated[Path, typer.Option("--outputs", help="Folder that holds the runs.", envvar="DLRUN_OUTPUTS")]
DEFAULT_OUTPUTS = Path("outputs")
