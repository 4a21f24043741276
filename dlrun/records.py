"""What the records of runs and studies have in common: their format, their statuses, how they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlrun.errors import RunDirError

FORMAT = 1
RUNNING, COMPLETED, FAILED, INTERRUPTED = "running", "completed", "failed", "interrupted"
PRUNED = "pruned"  # interrupted by a sweep, since it promised nothing


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file of a run. Raises RunDirError when it is missing, damaged or of a newer format."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunDirError(f"{path} is missing", hint="the run did not get that far, or the file was removed") from error
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("format", FORMAT), int):
        raise RunDirError(f"{path} is damaged")
    if value.get("format", FORMAT) > FORMAT:
        raise RunDirError(
            f"{path} has format {value['format']}", expected=f"format {FORMAT}", hint="it was written by a newer dlrun"
        )
    return value
