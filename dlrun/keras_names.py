"""What the installed Keras calls things and which arguments they take, read from its source without importing it."""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from dlrun.errors import UnknownNameError, did_you_mean, listing
from dlrun.signatures import Parameter, Signature, parse_file, signature_of

_PACKAGES = {
    "optimizers": "optimizers",
    "schedules": "optimizers/schedules",
    "losses": "losses",
    "metrics": "metrics",
    "callbacks": "callbacks",
    "layers": "layers",
    "initializers": "initializers",
    "regularizers": "regularizers",
    "constraints": "constraints",
    "activations": "activations",
}
KINDS = tuple(_PACKAGES)

# Arguments with Keras objects in them, by name or by the end of the name
LAYER_ARGUMENTS = ("layer", "forward_layer", "backward_layer", "cell", "cells", "layers")
OBJECT_ENDINGS = {"_regularizer": "regularizers", "_initializer": "initializers", "_constraint": "constraints"}
# Callbacks that write files: the argument with the path, and where in a run it leads by default
CALLBACK_PATHS = {
    "TensorBoard": ("log_dir", "tensorboard"),
    "CSVLogger": ("filename", "artefacts/log.csv"),
    "ModelCheckpoint": ("filepath", "artefacts/{epoch:03d}.keras"),
    "BackupAndRestore": ("backup_dir", "artefacts/backup"),
}
_BASES = {
    *("Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap", "LearningRateSchedule"),
    *("Loss", "LossFunctionWrapper", "Metric", "MeanMetricWrapper", "Callback", "CallbackList", "MonitorCallback"),
    *("Layer", "InputSpec", "Wrapper", "Initializer", "Regularizer", "Constraint"),
    *("get", "serialize", "deserialize"),
}
_FUNCTION_KINDS = ("losses", "activations")
_BY_TASK = {"metrics": ("accuracy", "acc"), "losses": ("crossentropy", "ce")}  # chosen by Keras from the shapes
_IGNORED_ARGUMENTS = {"decay"}  # Keras takes them only to warn


@dataclass(frozen=True)
class Source:
    """Where an object stands: the file and its name in there."""

    file: Path
    name: str


@lru_cache(maxsize=1)
def keras_folder() -> Path:
    """The folder of the installed Keras. Raises ImportError when there is none."""
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("Keras is not installed")
    return Path(spec.submodule_search_locations[0])


def to_snake_case(name: str) -> str:
    """`MeanSquaredError` -> `mean_squared_error`, by the rule of keras.src.utils.naming."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _module_file(module: str) -> Path:
    base = keras_folder().joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@lru_cache(maxsize=256)
def _imports(file: Path) -> dict[str, Source]:
    """The Keras objects (or modules, with an empty name) that a file imports at its top, by local name."""
    found: dict[str, Source] = {}
    for node in parse_file(file).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("keras"):
            folder = keras_folder().joinpath(*node.module.split(".")[1:])
            for alias in node.names:
                inner = folder / alias.name
                if inner.with_suffix(".py").exists() or inner.is_dir():
                    found[alias.asname or alias.name] = Source(_module_file(f"{node.module}.{alias.name}"), "")
                else:
                    found[alias.asname or alias.name] = Source(_module_file(node.module), alias.name)
    return found


@lru_cache(maxsize=16)
def _sources(kind: str) -> dict[str, Source]:
    """Every object of a kind by the name Keras exports it under."""
    found = _imports(_public(kind))
    package, functions = _PACKAGES[kind].replace("/", "."), kind in _FUNCTION_KINDS
    return {
        name: source
        for name, source in sorted(found.items())
        if source.name
        and name not in _BASES
        and (functions or name[0].isupper())
        and (kind == "layers" or f"{package}." in f"{_dotted(source.file)}.")
    }


def _dotted(file: Path) -> str:
    return ".".join(file.relative_to(keras_folder()).with_suffix("").parts)


def _public(kind: str) -> Path:
    """The file that lists all objects of a kind."""
    return keras_folder() / _PACKAGES[kind] / "__init__.py"


def _private(kind: str) -> Path:
    """The file that fills `ALL_OBJECTS_DICT`, in which Keras finds objects by strings; it lacks some of them."""
    return keras_folder() / "src" / _PACKAGES[kind] / "__init__.py"


def _aliases(kind: str) -> dict[str, str]:
    """The further names in `ALL_OBJECTS_DICT` of a Keras package."""
    found: dict[str, str] = {}
    for node in parse_file(_private(kind)).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            for argument in node.value.args:
                if isinstance(argument, ast.Dict):
                    for key, value in zip(argument.keys, argument.values, strict=True):
                        if isinstance(key, ast.Constant) and isinstance(value, ast.Name):
                            found[str(key.value)] = value.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            index = node.targets[0].slice
            if isinstance(index, ast.Constant) and isinstance(node.value, ast.Name):
                found[str(index.value)] = node.value.id
    return found


@lru_cache(maxsize=16)
def names(kind: str) -> dict[str, str]:
    """Every spelling Keras accepts for a kind, and the object's own name (`mse` -> `MeanSquaredError`).

    A loss function is given by the class of the same name, which takes the arguments.
    """
    sources = _sources(kind)
    found = {name: source.name for name, source in _imports(_public(kind)).items() if source.name in sources}
    found |= {name: name for name in sources}
    if kind in ("losses", "metrics", "initializers", "regularizers", "constraints"):
        classes = {
            to_snake_case(name): name for name, source in sources.items() if source.name == name and name[0].isupper()
        }
        found |= classes
        for alias, target in _aliases(kind).items():
            found[alias] = classes.get(to_snake_case(target), target)
    elif kind == "optimizers":
        found |= {name.lower(): name for name in sources}
    elif kind == "activations":
        found |= _aliases(kind)
    for name in _BY_TASK.get(kind, ()):
        found[name] = name
    return found


def canonical(kind: str, name: str) -> str | None:
    """The object's own name for any accepted spelling, or None when Keras has no such object."""
    if kind == "optimizers":  # Keras looks optimizers up in lower case
        name = name.lower()
    return names(kind).get(name)


def is_string(kind: str, name: str) -> bool:
    """Whether Keras finds the object by this string; for some it wants the class itself."""
    own = _imports(_private(kind))
    known = {*own, *_aliases(kind), *_BY_TASK.get(kind, ())}
    return name in known or (kind != "losses" and name in map(to_snake_case, own))


def is_chosen_by_task(kind: str, name: str) -> bool:
    """Whether Keras chooses the object behind a name by the shapes of targets and outputs."""
    return name in _BY_TASK.get(kind, ())


def preferred_names(kind: str) -> list[str]:
    """One spelling per object, as one writes it in YAML: short names where Keras takes them."""
    if kind in ("schedules", "callbacks", "layers"):
        return list(_sources(kind))
    if kind == "activations":
        return sorted(_sources(kind))
    short = sorted({to_snake_case(name) if kind != "optimizers" else name.lower() for name in names(kind).values()})
    return short


def unknown(kind: str, name: str) -> UnknownNameError:
    """The error for a name Keras does not have."""
    known = preferred_names(kind)
    return UnknownNameError(
        f"Keras has no {noun(kind)} named {name!r}",
        expected=listing(known),
        hint=did_you_mean(name, [*known, *names(kind)]) or f"`dlrun list {kind}` shows them all",
    )


def noun(kind: str) -> str:
    """What one of a kind is called."""
    special = {"losses": "loss", "schedules": "learning-rate schedule"}
    return special.get(kind, kind.removesuffix("s"))


@lru_cache(maxsize=256)
def signature(kind: str, name: str) -> Signature:
    """The arguments of a Keras object, those it hands to its base classes included. Raises UnknownNameError."""
    own = canonical(kind, name)
    if own is None:
        raise unknown(kind, name)
    if is_chosen_by_task(kind, own):
        return Signature(own, (), False, "Chosen by Keras from the shapes of targets and outputs.", keras_folder(), 1)
    source = _sources(kind)[own]
    found = _complete(source.file, source.name, ())
    return replace(found, parameters=tuple({p.name: p for p in reversed(found.parameters)}.values())[::-1])


def _definition(file: Path, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    for node in parse_file(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    return None


def _complete(file: Path, name: str, seen: tuple[str, ...]) -> Signature:
    node = _definition(file, name)
    if node is None:
        moved = _imports(file).get(name)  # a package that only passes the name on
        return _complete(moved.file, name, seen) if moved and moved.name else Signature(name, (), True, "", file, 1)
    own = signature_of(node, file)
    if isinstance(node, ast.FunctionDef) or not own.open:
        return own
    init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    given, forwards = _super_call(init) if init else (set[str](), True)
    found = {p.name: p for p in own.parameters}
    if init:
        found |= {n: Parameter(n, None) for n in _popped(init) if n not in found and n not in _IGNORED_ARGUMENTS}
    if forwards and (base := _base(node, file, (*seen, name))):
        by_position = [p.name for p in base.parameters if not p.keyword_only]
        taken = given | set(by_position[: _positional(init)])
        found |= {p.name: p for p in base.parameters if p.name not in found and p.name not in taken}
        return replace(own, parameters=tuple(found.values()), open=base.open)
    return replace(own, parameters=tuple(found.values()), open=forwards and bool(node.bases) and name not in _BASES)


def _base(node: ast.ClassDef, file: Path, seen: tuple[str, ...]) -> Signature | None:
    """The complete signature of the first base class that Keras itself defines."""
    imports = _imports(file)
    for base in node.bases:
        source = None
        if isinstance(base, ast.Name):
            source = Source(file, base.id) if _definition(file, base.id) else imports.get(base.id)
        elif isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name) and base.value.id in imports:
            source = Source(imports[base.value.id].file, base.attr)
        if source and source.name and source.file.exists() and source.name not in seen[:-1]:
            return _complete(source.file, source.name, seen)
    return None


def _super_calls(init: ast.FunctionDef) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(init)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
    ]


def _super_call(init: ast.FunctionDef) -> tuple[set[str], bool]:
    """Which arguments a class sets for its base, and whether it hands its **kwargs on."""
    given: set[str] = set()
    forwards = False
    for call in _super_calls(init):
        given |= {keyword.arg for keyword in call.keywords if keyword.arg}
        forwards = forwards or any(keyword.arg is None for keyword in call.keywords)
    return given, forwards


def _positional(init: ast.FunctionDef | None) -> int:
    return max((len(call.args) for call in _super_calls(init)), default=0) if init else 0


def _popped(init: ast.FunctionDef) -> list[str]:
    """Arguments that a class takes out of its **kwargs by name."""
    return [
        node.args[0].value
        for node in ast.walk(init)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "pop"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "kwargs"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]
