"""`dlrun doctor`: is everything here that dlrun needs?"""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs
from dlrun.cli._output import echo, width

if TYPE_CHECKING:
    from dlrun.doctor import Finding

_INDENT = 18  # columns before the text
_COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Without the short training.")] = False,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
) -> None:
    """Look at versions, devices, data and folders, and train for a moment as proof. Exits with 1 if anything is broken.

    On macOS and Windows it says what to mind.
    """
    from dataclasses import asdict

    from dlrun.cli._output import print_json
    from dlrun.doctor import BROKEN, examine

    findings = []
    for finding in examine(Path(outputs), quick=quick):
        findings.append(finding)
        if not as_json:
            _show(finding)
    broken = [finding.subject for finding in findings if finding.status == BROKEN]
    if as_json:
        print_json({"ok": not broken, "findings": [asdict(finding) for finding in findings]})
    else:
        echo(f"\nbroken: {', '.join(broken)}" if broken else "\ndlrun can work here")
    if broken:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    typer.secho(f"{finding.status:<7}", fg=_COLOURS[finding.status], nl=False)
    echo(f" {finding.subject:<9} {_folded(finding.text)}")
    if finding.hint:
        echo(f"{'':{_INDENT}}{_folded(finding.hint)}")


def _folded(text: str) -> str:
    """In lines beside each other, as wide as the terminal."""
    most = max(20, width() - _INDENT)
    return f"\n{'':{_INDENT}}".join(
        part for line in text.splitlines() for part in wrap(line, most, break_long_words=False, break_on_hyphens=False)
    )
