"""Signatures read from source with `ast`: what a function or class accepts, without importing it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


class _Marker:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


REQUIRED = _Marker("required")
NOT_LITERAL = _Marker("not a literal")  # the default is an expression that only running the code can tell


@dataclass(frozen=True)
class Parameter:
    """One argument: `default` is a literal, `REQUIRED` or `NOT_LITERAL`; `annotation` its expression, if any."""

    name: str
    default: Any = REQUIRED
    annotation: ast.expr | None = None
    keyword_only: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True)
class Signature:
    """The arguments of a function or of a class' `__init__` (without `self`), and where it stands."""

    name: str
    parameters: tuple[Parameter, ...]
    open: bool  # accepts **kwargs
    doc: str
    file: Path
    line: int

    @property
    def first_doc_line(self) -> str:
        return self.doc.strip().splitlines()[0] if self.doc.strip() else ""

    def keyword_parameters(self) -> dict[str, Parameter]:
        """What stands right of the star: the arguments a YAML file may set."""
        return {p.name: p for p in self.parameters if p.keyword_only}


@lru_cache(maxsize=512)
def _parse(path: Path, _mtime_ns: int) -> ast.Module:
    text = path.read_text(encoding="utf-8")
    if "\0" in text:  # a ValueError before Python 3.11.4
        raise SyntaxError("source code cannot contain null bytes")
    return ast.parse(text, filename=str(path))


def parse_file(path: Path) -> ast.Module:
    """The syntax tree of a Python file, cached until the file changes. Raises SyntaxError, OSError, UnicodeError."""
    return _parse(path, path.stat().st_mtime_ns)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return NOT_LITERAL


def _parameters(arguments: ast.arguments, *, drop_first: bool) -> tuple[Parameter, ...]:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[Any] = [REQUIRED] * (len(plain) - len(arguments.defaults))
    defaults += [_literal(node) for node in arguments.defaults]
    found = [Parameter(a.arg, d, a.annotation) for a, d in zip(plain, defaults, strict=True)]
    for argument, node in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        default = REQUIRED if node is None else _literal(node)
        found.append(Parameter(argument.arg, default, argument.annotation, keyword_only=True))
    return tuple(found[1:] if drop_first else found)


def signature_of(node: ast.FunctionDef | ast.ClassDef, path: Path) -> Signature:
    """The signature of a function, or of a class by its own `__init__` (open without arguments when it has none)."""
    doc = ast.get_docstring(node) or ""
    if isinstance(node, ast.FunctionDef):
        arguments: ast.arguments | None = node.args
    else:
        init = (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
        arguments = next((n.args for n in init), None)
    if arguments is None:
        return Signature(node.name, (), True, doc, path, node.lineno)
    parameters = _parameters(arguments, drop_first=isinstance(node, ast.ClassDef))
    return Signature(node.name, parameters, arguments.kwarg is not None, doc, path, node.lineno)
