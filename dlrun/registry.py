"""Names a YAML file may use, and the builders behind them.

A built-in name is a file: `model: {name: mlp}` is `models/mlp.py`. A user's own names come from the files under
`plugins:`. Both can be listed and described from source, without importing Keras; only `get` imports.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dlrun.errors import PluginError, UnknownNameError, did_you_mean, listing
from dlrun.signatures import Signature, parse_file, signature_of

MOST_BYTES = 2_000_000  # of a plugin
Builder = TypeVar("Builder", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """A registered name as its source tells it."""

    kind: str
    name: str
    signature: Signature


def scan_file(path: Path) -> list[Entry]:
    """The components that a Python file registers with `@dlrun.<kind>("name")` or `@<kind>("name")`.

    Raises PluginError when the file cannot be read or parsed.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PluginError(f"the plugin {path} is larger than {MOST_BYTES // 1000} kB")
        tree = parse_file(path)
    except (MemoryError, RecursionError) as error:
        raise PluginError(f"the plugin {path} is nested too deeply to be read") from error
    except SyntaxError as error:
        raise PluginError(f"{path}:{error.lineno or 1}: the plugin is not valid Python: {error.msg}") from error
    except (OSError, UnicodeError) as error:
        raise PluginError(f"the plugin {path} cannot be read: {error}") from error
    entries = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                if found := _registration(decorator):
                    entries.append(Entry(*found, signature_of(node, path)))
    return entries


def _registration(node: ast.expr) -> tuple[str, str] | None:
    """(kind, name) of a decorator such as `@dlrun.model("lstm")`."""
    if not (isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.Constant)):
        return None
    kind = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return (kind, str(node.args[0].value)) if kind in REGISTRIES else None


class Registry:
    """The components of one kind: look-up by name, in this order: registered already, plugin, built-in file."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._builders: dict[str, Callable[..., Any]] = {}

    @property
    def _folder(self) -> Path:
        return Path(__file__).parent.joinpath(*self.package.split(".")[1:])

    def register(self, name: str) -> Callable[[Builder], Builder]:
        """Decorator that makes a builder known as `name`."""

        def keep(builder: Builder) -> Builder:
            self._builders[name] = builder
            return builder

        return keep

    def builtin_names(self) -> list[str]:
        """The names that ship with dlrun, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.py") if not path.stem.startswith("_"))

    def entries(self, plugins: Sequence[Path] = ()) -> dict[str, Entry]:
        """Every name with its signature: built-in ones, then those of the plugin files. Nothing is imported."""
        found = {name: self.describe(name) for name in self.builtin_names()}
        for path in plugins:
            for entry in scan_file(path):
                if entry.kind == self.kind:
                    found[entry.name] = entry
        return found

    def describe(self, name: str, plugins: Sequence[Path] = ()) -> Entry:
        """The entry of a name, read from source. Raises UnknownNameError."""
        for path in plugins:
            for entry in scan_file(path):
                if (entry.kind, entry.name) == (self.kind, name):
                    return entry
        path = self._folder / f"{name}.py"
        if name in self.builtin_names():
            for entry in scan_file(path):
                if (entry.kind, entry.name) == (self.kind, name):
                    return entry
        raise self.unknown(name, plugins)

    def unknown(self, name: str, plugins: Sequence[Path] = ()) -> UnknownNameError:
        """The error for a name that is not here."""
        known = self.builtin_names()
        known += [e.name for path in plugins for e in scan_file(path) if e.kind == self.kind]
        return UnknownNameError(
            f"there is no {self.kind} named {name!r}",
            expected=listing(known),
            hint=did_you_mean(name, known) or f"`dlrun list {self.package.split('.')[-1]}` shows them all",
        )

    def get(self, name: str) -> Callable[..., Any]:
        """The builder behind a name; imports the built-in file of that name. Raises UnknownNameError."""
        if name not in self._builders and name in self.builtin_names():
            importlib.import_module(f"{self.package}.{name}")
        if name not in self._builders:
            raise self.unknown(name)
        return self._builders[name]


DATASETS = Registry("dataset", "dlrun.data")
TRANSFORMS = Registry("transform", "dlrun.data.transforms")
MODELS = Registry("model", "dlrun.models")
ROUTINES = Registry("routine", "dlrun.routines")
CALLBACKS = Registry("callback", "dlrun.callbacks")  # beside Keras' own
REGISTRIES = {registry.kind: registry for registry in (DATASETS, TRANSFORMS, MODELS, ROUTINES, CALLBACKS)}


# What dlrun passes to a builder
_SUPPLIED = {"dataset": "context", "model": "spec", "routine": "experiment", "callback": "experiment"}


def check_plugin(path: Path) -> list[Entry]:
    """The entries of a plugin file, from source.

    Raises PluginError when there is none, when a name is taken, or when a signature breaks the star rule.
    """
    entries = scan_file(path)
    if not entries:
        raise PluginError(
            f"the plugin {path} registers nothing",
            expected="a function or class below " + listing(f"@dlrun.{kind}" for kind in REGISTRIES),
        )
    for entry in entries:
        if entry.name in REGISTRIES[entry.kind].builtin_names():
            raise PluginError(
                f"{path}:{entry.signature.line}: the {entry.kind} {entry.name!r} is already part of dlrun",
                hint="give yours another name",
            )
        _check_star_rule(entry)
    return entries


def _check_star_rule(entry: Entry) -> None:
    """One parameter left of the star, from dlrun; those that YAML sets right of it. Raises PluginError."""
    supplied = _SUPPLIED.get(entry.kind)
    left = [p.name for p in entry.signature.parameters if not p.keyword_only]
    if supplied is None or len(left) == 1:
        return
    name, found = entry.signature.name, ", ".join(left) or "none"
    raise PluginError(
        f"{entry.signature.file}:{entry.signature.line}: dlrun calls the {entry.kind} {name!r} with one argument, "
        f"the {supplied}; all others are set in YAML and stand right of a `*`",
        received=f"{found} left of the star",
        expected=f"def {name}({', '.join([left[0], '*', *left[1:]] if left else [supplied])})",
    )


def load_plugin(path: Path) -> None:
    """Run a plugin file so that its decorators register. Raises PluginError with the line that failed."""
    check_plugin(path)
    name = f"dlrun_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"the plugin {path} is not a Python file", expected="a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # boundary: the user's code
        line = _failing_line(error, path)
        raise PluginError(f"{path}:{line}: the plugin failed while loading: {type(error).__name__}: {error}") from error


def _failing_line(error: BaseException, path: Path) -> int:
    line, traceback = 1, error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
