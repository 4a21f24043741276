"""Arguments and options that several verbs share, and what they mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dlrun.errors import ConfigError

if TYPE_CHECKING:
    from dlrun.config.schema import Config
    from dlrun.run_dir import RunDir

DEFAULT_OUTPUTS = Path("outputs")

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and the result only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what Keras and TensorFlow log, too.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Override: -s model.units=128; -s ~key drops it. Repeatable."
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Look here first for data files.", exists=True, file_okay=False)
]
Sample = Annotated[bool, typer.Option("--sample", help="Use generated stand-in data.")]
Scale = Annotated[Literal["book", "small"], typer.Option(help="small: the config as its key `small` makes it smaller.")]
Outputs = Annotated[Path, typer.Option("--outputs", help="Folder that holds the runs.", envvar="DLRUN_OUTPUTS")]


def complete_config(incomplete: str) -> list[str]:
    """Shipped configs and YAML files, for the shell."""
    from dlrun.config.finding import shipped_configs

    return [name for name in [*shipped_configs(), *_files_beside(incomplete)] if name.startswith(incomplete)]


def _files_beside(incomplete: str) -> list[str]:
    """YAML files and folders in the folder that is being typed."""
    from dlrun.config.finding import SUFFIXES

    cut = incomplete.rfind("/") + 1
    typed, begun = incomplete[:cut], incomplete[cut:]
    try:
        paths = sorted(Path(typed or ".").iterdir())
    except OSError:
        return []
    shown = [path for path in paths if begun.startswith(".") or not path.name.startswith(".")]
    files = [f"{typed}{path.name}" for path in shown if path.suffix in SUFFIXES and path.is_file()]
    return files + [f"{typed}{path.name}/" for path in shown if path.is_dir()]


def complete_run(incomplete: str) -> list[str]:
    """Names and ids of runs, for the shell."""
    from dlrun.run_dir import list_runs

    runs = list(list_runs(Path(os.environ.get("DLRUN_OUTPUTS", DEFAULT_OUTPUTS))))
    names = sorted({run.path.parent.name for run in runs}) + [run.id for run in runs]
    return [name for name in names if name.startswith(incomplete)]


Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: path, id, name, or - for the latest.", autocompletion=complete_run)
]


def check_inputs(inputs: Sequence[str]) -> None:
    """Raise ConfigError, before Keras is imported, when a file that shall be read is not there."""
    for text in inputs:
        if text != "-" and not Path(text).exists():
            raise ConfigError(
                f"{text}: there is no such file", expected="files with raw rows as in the data of the run, or -"
            )


def start_keras(config: Config, *, verbose: bool) -> None:
    """Bring Keras into this process; `verbose` lets the log of TensorFlow's import through."""
    from dlrun.environment import import_keras

    name = "JAX" if config.runtime.backend == "jax" else "TensorFlow"
    told = f"starting {name} ..." if sys.stderr.isatty() else ""
    typer.echo(told, err=True, nl=False)
    try:
        import_keras(config.runtime.backend, config.runtime.device, verbose=verbose, lean=True)
    finally:
        if told:  # what comes next has the line for itself; the `^C` of the terminal goes, too
            typer.echo(f"\r{' ' * (len(told) + 2)}\r", err=True, nl=False)


def load(text: str, overrides: Sequence[str], *, to_train: bool = False, scale: str = "book") -> Config:
    """The config that a CONFIG argument names; `to_train` wants all that training needs. Raises ConfigError."""
    from dlrun.config.finding import find_config
    from dlrun.config.loading import load_config

    path = find_config(text)
    if scale == "small":
        from dlrun.config.scale import wanted_small

        overrides = [*wanted_small(load_config(path)), *overrides]
    return load_config(path, overrides, to_train=to_train)


def data_overrides(data_dir: Path | None, *, sample: bool) -> list[str]:
    """What `--data-dir` and `--sample` set."""
    from dlrun.config.overrides import setting

    return [*([setting("data.dir", data_dir)] if data_dir else []), *(["data.sample=true"] if sample else [])]


def gpus_to_share(config: Config) -> int:
    """How many GPUs the runs of a study may share out; with a strategy each run takes all of them."""
    from dlrun.machine import nvidia_gpus

    device = config.runtime.device
    one = device.startswith("gpu:") or config.runtime.strategy != "none"
    return 0 if device == "cpu" else 1 if one else nvidia_gpus()


def check_sweep(text: str, overrides: Sequence[str], config: Config) -> None:
    """Raise ConfigError for values of `sweep.space` that their keys cannot have."""
    from dlrun.config.space import check_values

    check_values(config, lambda more: load(text, [*overrides, *more], to_train=True))


@dataclass(frozen=True)
class ModelTarget:
    """What a RUN_OR_CHECKPOINT argument means. `run` is None for a file outside a run."""

    config: Config
    model_file: Path
    run: RunDir | None
    notes: list[str]


def find_model(text: str, weights: str, config: str | None, outputs: Path, overrides: Sequence[str]) -> ModelTarget:
    """The model, config and run behind a RUN_OR_CHECKPOINT argument. Raises DlrunError."""
    from dlrun.config.loading import load_config
    from dlrun.keeping import check_model
    from dlrun.run_dir import COMPLETED, RunDir, find_run

    path = Path(text)
    if path.suffix == ".keras":
        if not path.is_file():
            raise ConfigError(f"there is no file {path}")
        inside = (path.parent / "run.json").exists()
        if config is not None and not inside:
            return ModelTarget(load(config, overrides), path, None, [])
        if not inside:
            raise ConfigError(
                f"{path} lies outside a run", hint="name the config whose data it shall be scored on: --config CONFIG"
            )
        run = RunDir(path.parent.absolute())
    else:
        run = find_run(text, outputs)
        path = run.model_file(weights)
        check_model(path)
    if config is not None:
        raise ConfigError("--config is for a .keras file outside a run", hint="leave it out: the run has its config")
    for override in overrides:
        if not override.startswith(("data.dir=", "data.path=", "data.test_path=", "runtime.")):
            raise ConfigError(
                "a run is scored with its own config",
                received=override,
                expected="data.dir, data.path, data.test_path or runtime.*, for a run on another machine",
            )
    status = run.status()
    notes = [] if status == COMPLETED else [f"this run is {status}; its model so far is scored"]
    return ModelTarget(load_config(run.config_file, overrides), path, run, notes)
