"""The command line: one file per verb, and `main`, where every error is printed once."""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

# While the imports go on nothing can be lost: Ctrl-C ends the process at once, without a traceback out of one of them.
_ctrl_c = signal.getsignal(signal.SIGINT)
if _ctrl_c is signal.default_int_handler:
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)

import typer  # noqa: E402

from dlrun import __version__  # noqa: E402
from dlrun.errors import ConfigError, DlrunError, Interrupted  # noqa: E402

_UsageError: Any = typer.BadParameter.__bases__[0]  # of the click that Typer brings along

app = typer.Typer(
    name="dlrun",
    help="Run deep-learning experiments from YAML files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: dlrun train digits",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dlrun {__version__}")
        raise typer.Exit()


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _register_verbs() -> None:
    from dlrun.cli import (
        batch,
        check,
        compare,
        data,
        doctor,
        ensemble,
        evaluate,
        explain,
        export,
        fetch,
        generate,
        init,
        kfold,
        predict,
        queue,
        report,
        reproduce,
        retrain,
        runs,
        schema,
        show,
        sweep,
        tensorboard,
        train,
        verify,
    )
    from dlrun.cli import list as list_verb

    app.command("train", rich_help_panel="Run")(train.train)
    app.command("evaluate", rich_help_panel="Run")(evaluate.evaluate)
    app.command("predict", rich_help_panel="Run")(predict.predict)
    app.command("generate", rich_help_panel="Run")(generate.generate)
    app.command("kfold", rich_help_panel="Run")(kfold.kfold)
    app.command("sweep", rich_help_panel="Run")(sweep.sweep)
    app.command("batch", rich_help_panel="Run")(batch.batch)
    app.add_typer(queue.app, name="queue", rich_help_panel="Run")
    app.command("retrain", rich_help_panel="Run")(retrain.retrain)
    app.command("reproduce", rich_help_panel="Run")(reproduce.reproduce)
    app.command("check", rich_help_panel="Before a run")(check.check)
    app.command("show", rich_help_panel="Before a run")(show.show)
    app.command("init", rich_help_panel="Before a run")(init.init)
    app.command("data", rich_help_panel="Before a run")(data.data)
    app.command("list", rich_help_panel="Before a run")(list_verb.list_components)
    app.command("schema", rich_help_panel="Before a run")(schema.schema)
    app.command("fetch", rich_help_panel="Before a run")(fetch.fetch)
    app.command("doctor", rich_help_panel="Before a run")(doctor.doctor)
    app.add_typer(runs.app, name="runs", rich_help_panel="After a run")
    app.command("compare", rich_help_panel="After a run")(compare.compare)
    app.command("report", rich_help_panel="After a run")(report.report)
    app.command("explain", rich_help_panel="After a run")(explain.explain)
    app.command("ensemble", rich_help_panel="After a run")(ensemble.ensemble)
    app.command("tensorboard", rich_help_panel="After a run")(tensorboard.tensorboard)
    app.command("export", rich_help_panel="After a run")(export.export)
    app.command("verify", rich_help_panel="After a run")(verify.verify)


_register_verbs()
if _ctrl_c is signal.default_int_handler:
    with suppress(ValueError):
        signal.signal(signal.SIGINT, _ctrl_c)


@functools.cache
def command() -> Any:
    """The app with the options of every verb read from its signature: 20 ms, which tests and the worker pay once."""
    return typer.main.get_command(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 1 the work failed, 2 the config or command is wrong,
    75 stopped with a checkpoint, 130 interrupted without one.
    """
    if sys.stdout is None:  # closed by the caller
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open for the whole process
    arguments = [*(sys.argv[1:] if argv is None else argv)]  # not list(): the verb of that name is imported here
    arguments = arguments or ["--help"]
    debug = "--debug" in arguments
    try:
        code = command()(args=[a for a in arguments if a != "--debug"], prog_name="dlrun", standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # Typer catches Ctrl-C itself, and says nothing
            raise KeyboardInterrupt
        return int(code or 0)
    except DlrunError as error:
        if debug:
            raise
        print_error(error, as_json="--json" in arguments)
        return error.exit_code
    except KeyboardInterrupt:
        print_error(Interrupted("interrupted", resumable=False), as_json="--json" in arguments)
        return 130
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else None
        print_error(ConfigError(error.format_message(), hint=hint), as_json="--json" in arguments)
        return ConfigError.exit_code
    except typer.Abort:
        print_error(Interrupted("interrupted", resumable=False), as_json="--json" in arguments)
        return 130
    except SystemExit as exit_:
        return int(exit_.code or 0)
    except BrokenPipeError:  # nobody reads on: `dlrun runs | head -1`
        _discard_stdout()
        return 1
    except OSError as error:
        return _told(error, as_json="--json" in arguments)


def _told(error: OSError, *, as_json: bool) -> int:
    """Tell of a full disk below stdout, or of a name that was typed and is too long for a file; raise all others."""
    if error.errno == errno.ENAMETOOLONG:
        name = str(error.filename)
        problem = ConfigError("no file has so long a name", received=f"{name[:60]}... ({len(name):,} characters)")
        print_error(problem, as_json=as_json)
        return problem.exit_code
    if error.errno != errno.ENOSPC:
        raise error
    _discard_stdout()
    typer.echo(f"error: the output cannot be written: {error.strerror}", err=True)
    return 1


def _discard_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(error: DlrunError, *, as_json: bool) -> None:
    """The error as text on stderr; with --json also as the one JSON object on stdout."""
    from dlrun.cli._output import error_text

    text = error_text(error)
    typer.echo(text.removeprefix("error: ") if isinstance(error, Interrupted) else text, err=True)
    if as_json:
        from dlrun.cli._output import print_json

        print_json({"error": [problem_dict(problem) for problem in error.problems], "exit_code": error.exit_code})


def problem_dict(problem: object) -> dict[str, object]:
    """A problem as JSON values, without empty fields."""
    from dataclasses import asdict, is_dataclass

    assert is_dataclass(problem)
    assert not isinstance(problem, type)
    return {name: value for name, value in asdict(problem).items() if value}
