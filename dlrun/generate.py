"""New texts, pictures or samples from a finished run, by the function `generate` in the file of its routine."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlrun import __version__
from dlrun.config.generate_options import FUNCTION, RECORD, check_options, options_of
from dlrun.config.schema import Config
from dlrun.engine.generating import Generated, Request, Stream, ignore_text
from dlrun.engine.resolve import open_session
from dlrun.errors import RunDirError
from dlrun.files import discard, make_folder, write_json
from dlrun.registry import ROUTINES
from dlrun.run_dir import FORMAT, RunDir, read_json


def generate(
    run: RunDir,
    config: Config,
    options: Mapping[str, Any],
    *,
    seed: int = 1,
    weights: str = "best",
    output: Path | None = None,
    stream: Stream = ignore_text,
) -> tuple[Path, Generated]:
    """Let the routine of a run generate with these `options`, which are those of its function's signature.

    Files lie in the returned folder: `output`, or one of their own in `artefacts/generated/` of the run. With them
    lies `generate.json`: options, seed and the hashes of the weights, by which the call can be repeated.
    Raises DlrunError.
    """
    check_options(config, options)
    folder = make_folder(output) if output else _own_folder(run)
    try:
        with open_session(config):
            request = Request(run, config, folder, seed, weights, stream)
            function = getattr(sys.modules[ROUTINES.get(config.routine.name).__module__], FUNCTION)
            made: Generated = function(request, **options)
    except BaseException:
        if output is None:
            discard(folder)
        raise
    defaults = {name: parameter.default for name, parameter in options_of(config).items()}
    record = _record(run, config, made, {"seed": seed, "weights": weights, **defaults, **options})
    write_json(folder / RECORD, record)
    return folder, made


def differences(before: Path, after: Path) -> list[str]:
    """In what a call differs from an earlier one with the same options: weights, texts, the content of files; both are
    folders. Raises RunDirError.
    """
    first, second = (read_json(folder / RECORD) for folder in (before, after))
    found = [name for name in ("models", "texts", "files") if first.get(name) != second.get(name)]
    files = [name for name in second["files"] if name in first.get("files", [])]
    return found + [name for name in files if not _same_bytes(before / name, after / name)]


def _same_bytes(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def _own_folder(run: RunDir) -> Path:
    """A new folder in the run, numbered; no two processes share one."""
    above = make_folder(run.artefacts / "generated")
    number = max((int(path.name) for path in above.iterdir() if path.name.isdigit()), default=0)
    while True:
        number += 1
        try:
            (above / f"{number:03d}").mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise RunDirError(f"the folder {above} cannot be written: {error.strerror}") from error
        return above / f"{number:03d}"


def _record(run: RunDir, config: Config, made: Generated, options: dict[str, Any]) -> dict[str, Any]:
    models = sorted(run.path.glob(f"{options['weights']}*.keras"))
    return {
        "format": FORMAT,
        "dlrun": __version__,
        "run": run.id,
        "routine": config.routine.name,
        "options": options,
        "models": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in models},
        "files": [path.name for path in made.files],
        "texts": made.texts,
        **made.facts,
    }
