"""What a config may name, read from source: dlrun's own components, Keras' objects, shipped configs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun import keras_names, sklearn_names
from dlrun.errors import UnknownNameError, did_you_mean, listing
from dlrun.registry import CALLBACKS, DATASETS, MODELS, ROUTINES, TRANSFORMS, Registry
from dlrun.signatures import NOT_LITERAL, Parameter, Signature

_REGISTRIES = {"models": MODELS, "datasets": DATASETS, "transforms": TRANSFORMS, "routines": ROUTINES}
ESTIMATORS = "estimators"  # of scikit-learn
KINDS = (*_REGISTRIES, *keras_names.KINDS, ESTIMATORS, "configs")


@dataclass(frozen=True)
class Item:
    """One name: what it is, which parameters it takes, and where its source stands."""

    name: str
    summary: str
    parameters: dict[str, str]
    file: Path
    line: int


def plural_kind(text: str) -> str:
    """The kind a user means: `model`, `Models` and `models` are one. Raises UnknownNameError."""
    lowered = text.lower()
    for kind in KINDS:
        if lowered in (kind, keras_names.noun(kind), kind.removesuffix("s")) or (kind, lowered) == ("datasets", "data"):
            return kind
    raise UnknownNameError(f"there is no kind {text!r}", expected=listing(KINDS, 20), hint=did_you_mean(text, KINDS))


def names_of(kind: str) -> list[str]:
    """The names of a kind, without reading their signatures."""
    if kind == "configs":
        from dlrun.config.finding import shipped_configs

        return list(shipped_configs())
    if kind in _REGISTRIES:
        return _REGISTRIES[kind].builtin_names()
    if kind == ESTIMATORS:
        return sklearn_names.names()
    return [*(CALLBACKS.builtin_names() if kind == "callbacks" else ()), *keras_names.preferred_names(kind)]


def items_of(kind: str, only: str | None = None) -> list[Item]:
    """The names of a kind with their parameters; `only` picks one. Raises UnknownNameError."""
    if kind == "configs":
        found = {name: _config_item(name, path) for name, path in _configs().items()}
    elif kind in _REGISTRIES or (kind == "callbacks" and only in CALLBACKS.builtin_names()):
        registry: Registry = _REGISTRIES.get(kind, CALLBACKS)
        names = [only] if only else registry.builtin_names()
        found = {name: _item(name, registry.describe(name).signature, builder=True) for name in names}
    elif kind == ESTIMATORS:
        names = [only] if only else sklearn_names.names()
        found = {name: _item(name, sklearn_names.signature(name), builder=False) for name in names}
    else:
        names = [only] if only else keras_names.preferred_names(kind)
        found = {name: _item(name, keras_names.signature(kind, name), builder=False) for name in names}
        if kind == "callbacks" and not only:
            own = {name: _item(name, entry.signature, builder=True) for name, entry in CALLBACKS.entries().items()}
            found = own | found
    if only and only not in found:
        raise UnknownNameError(f"there is no {keras_names.noun(kind)} named {only!r}", hint=did_you_mean(only, found))
    return [item for name, item in found.items() if only in (None, name)]


def _configs() -> dict[str, Path]:
    from dlrun.config.finding import shipped_configs

    return shipped_configs()


def _config_item(name: str, path: Path) -> Item:
    """A shipped config; its first comment that is no editor header is the summary."""
    comments = (line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    summary = next((text for text in comments if text and not text.startswith("yaml-language-server")), "")
    return Item(name, summary, {}, path, 1)


def _item(name: str, signature: Signature, *, builder: bool) -> Item:
    parameters = signature.keyword_parameters().values() if builder else signature.parameters
    shown = {p.name: _default_text(p) for p in parameters}
    return Item(name, signature.first_doc_line, shown, signature.file, signature.line)


def _default_text(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    return "..." if parameter.default is NOT_LITERAL else _yaml_text(parameter.default)


def _yaml_text(value: Any) -> str:
    """A default as one writes it in YAML."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_yaml_text(item) for item in value) + "]"
    return str(value) if value != "" else '""'
