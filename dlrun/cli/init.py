"""`dlrun init`: a first config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json
from dlrun.cli._output import echo


def init(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PATH_OR_NAME",
            help="A CSV or npz file, a folder or archive of images or texts; or the name of a shipped config.",
            autocompletion=_options.complete_config,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here instead of NAME.yaml.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="COLUMN", help="The column to predict, by name or number.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: Json = False,
) -> None:
    """Look at your data and write a short config that trains as it is; or copy a shipped one."""
    from dlrun.cli._output import print_json
    from dlrun.files import short, typed
    from dlrun.init import write_config

    written = write_config(source, output=output, target=target, force=force)
    if as_json:
        print_json({"file": str(written.file), "assumed": written.assumed})
        return
    echo(f"wrote {short(written.file)}")
    for text in written.assumed:
        echo(f"  - {text}")
    file = typed(written.file)
    echo(f"next  dlrun data {file}    dlrun train {file}")
