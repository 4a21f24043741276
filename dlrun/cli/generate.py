"""`dlrun generate`: new texts, pictures or samples from a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dlrun.cli import _options
from dlrun.cli._options import Json, Outputs, Run, Verbose
from dlrun.cli._output import echo
from dlrun.config.generate_options import RECORD
from dlrun.errors import ConfigError, RunDirError, listing

if TYPE_CHECKING:
    from dlrun.engine.generating import Generated
    from dlrun.run_dir import RunDir


def generate(
    run: Run,
    prompt: Annotated[
        str | None, typer.Option(help="Texts: what they begin with. Default: a piece of the corpus.")
    ] = None,
    temperature: Annotated[
        str | None, typer.Option(metavar="T,...", help="Texts: low ones are plain, high ones daring.")
    ] = None,
    length: Annotated[int | None, typer.Option(min=1, help="Texts: characters or words of each.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, max=10_000, help="How many.")] = None,
    interpolate: Annotated[
        str | None, typer.Option(metavar="A,B", help="Autoencoders: from pictures of class A to such of B.")
    ] = None,
    concept: Annotated[
        str | None, typer.Option(metavar="A,B", help="Autoencoders: pictures of class A, with what B has more added.")
    ] = None,
    seed: Annotated[int, typer.Option(help="All that is random hangs on it.")] = 1,
    weights: Annotated[Literal["best", "last"], typer.Option(help="Which weights.")] = "best",
    replay: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Repeat an earlier call of this run, and compare.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the files. Default: one in the run.")
    ] = None,
    outputs: Outputs = _options.DEFAULT_OUTPUTS,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Generate texts, pictures or samples with a run, each by the options that its routine knows."""
    from dlrun.cli._output import print_json
    from dlrun.cli._text_stream import TextStream
    from dlrun.config.generate_options import check_options
    from dlrun.config.loading import load_config
    from dlrun.run_dir import find_run

    stated = {
        "prompt": prompt,
        "temperature": None if temperature is None else _numbers(temperature, "--temperature"),
        "length": length,
        "samples": samples,
        "interpolate": interpolate,
        "concept": concept,
    }
    options: dict[str, Any] = {name: value for name, value in stated.items() if value is not None}
    found = find_run(run, outputs)
    found.record()  # a damaged or newer run is refused
    config = load_config(found.config_file)
    earlier, options = (None, options) if replay is None else _earlier(found, replay, options)
    shared = {"seed": options.pop("seed", seed), "weights": options.pop("weights", weights)}
    check_options(config, options)
    _options.start_keras(config, verbose=verbose)
    from dlrun.engine.generating import ignore_text
    from dlrun.generate import differences
    from dlrun.generate import generate as run_generate

    with TextStream() as show:
        stream = ignore_text if as_json else show
        folder, made = run_generate(found, config, options, **shared, output=output, stream=stream)
    found_other = differences(earlier, folder) if earlier else None
    if as_json:
        print_json({"run": found.id, "folder": str(folder), **_values(made), "differences": found_other})
    else:
        show.end(made.texts)
        _show_files(folder, made)
        _show_comparison(found_other)
    if found_other:
        raise typer.Exit(1)


def _earlier(run: RunDir, number: int, stated: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The folder of an earlier call, and its options. Raises ConfigError when there is none, or when other options are
    stated, RunDirError when its record is damaged.
    """
    from dlrun.run_dir import read_json

    if stated:
        raise ConfigError("--replay takes the options of the earlier call", received=f"--{next(iter(stated))}, too")
    folder: Path = run.artefacts / "generated" / f"{number:03d}"
    if not (folder / RECORD).is_file():
        known = sorted(path.parent.name for path in folder.parent.glob(f"*/{RECORD}"))
        raise ConfigError(f"this run has no call number {number}", expected=listing(known) or "one to be made first")
    options = read_json(folder / RECORD).get("options")
    if not isinstance(options, dict):
        raise RunDirError(f"{folder / RECORD} is damaged")
    return folder, options


def _show_comparison(found: list[str] | None) -> None:
    if found is None:
        return
    echo("the same, byte for byte" if not found else f"not the same: {', '.join(found)}", err=True)


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"{option} takes numbers with commas between them", received=text, expected="0.2,0.5,1"
        ) from error


def _values(made: Generated) -> dict[str, Any]:
    return {"texts": made.texts, "files": [path.name for path in made.files], **made.facts}


def _show_files(folder: Path, made: Generated) -> None:
    from dlrun.files import short

    for path in made.files:
        if path.suffix != ".txt":  # texts were printed
            echo(short(path))
    echo(f"generated in {short(folder)}", err=bool(made.texts))
