"""What the installed scikit-learn calls its estimators and which arguments they take, read without importing it."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from dlrun.errors import UnknownNameError, did_you_mean, listing
from dlrun.signatures import Signature, parse_file, signature_of

_PACKAGES = (
    *("ensemble", "linear_model", "svm", "neighbors", "tree", "neural_network", "gaussian_process"),
    *("naive_bayes", "discriminant_analysis", "kernel_ridge", "dummy"),
)
_OTHERS = {  # what predicts neither classes nor numbers, or wants other estimators, which a config cannot hold
    *("IsolationForest", "RandomTreesEmbedding", "OneClassSVM", "SGDOneClassSVM", "BernoulliRBM"),
    *("BallTree", "KDTree", "KernelDensity", "NearestNeighbors", "LocalOutlierFactor", "KNeighborsTransformer"),
    *("RadiusNeighborsTransformer", "NeighborhoodComponentsAnalysis", "StackingClassifier", "StackingRegressor"),
    *("VotingClassifier", "VotingRegressor"),
}

SAMPLE_PICTURES = ("china.jpg", "flower.jpg")  # in its folder datasets/images


def module_of(name: str) -> str:
    """The public module of an estimator, such as `sklearn.ensemble`. Raises UnknownNameError."""
    if name not in _sources():
        raise unknown(name)
    return _sources()[name][0]


def names() -> list[str]:
    """Every estimator a config may name, sorted."""
    return sorted(_sources())


def signature(name: str) -> Signature:
    """The arguments of an estimator. Raises UnknownNameError."""
    if name not in _sources():
        raise unknown(name)
    return _signature(name, _sources()[name][1])


def _signature(name: str, file: Path) -> Signature:
    """That of a class which a file defines, or takes from another of scikit-learn; of its last base without its own."""
    for node in parse_file(file).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            found, base = signature_of(node, file), node.bases[-1] if node.bases else None
            if found.open and not found.parameters and isinstance(base, ast.Name):  # it has no `__init__` of its own
                inherited = _signature(base.id, file)
                return replace(found, parameters=inherited.parameters, open=inherited.open)
            return found
    source = _imported(file).get(name)
    return _signature(name, source) if source else Signature(name, (), True, "", file, 1)


def unknown(name: str) -> UnknownNameError:
    """The error for a name that scikit-learn does not have."""
    return UnknownNameError(
        f"scikit-learn has no estimator named {name!r}",
        expected=listing(names()),
        hint=did_you_mean(name, names()) or "`dlrun list estimators` shows them all",
    )


@lru_cache(maxsize=1)
def _sources() -> dict[str, tuple[str, Path]]:
    """Public module of each estimator by name, and a file that has it."""
    found: dict[str, tuple[str, Path]] = {}
    for package in _PACKAGES:
        file = _file_of(f"sklearn.{package}")
        assert file is not None, "a public module"
        own = {node.name: file for node in parse_file(file).body if isinstance(node, ast.ClassDef)}
        own |= _imported(file) if file.name == "__init__.py" else {}
        found |= {name: (f"sklearn.{package}", source) for name, source in own.items() if _is_estimator(name)}
    return found


def _is_estimator(name: str) -> bool:
    helper = name.startswith("Base") or name.endswith("Mixin") or "_" in name
    return name[0].isupper() and not helper and name not in _OTHERS


def _imported(file: Path) -> dict[str, Path]:
    """What a file takes from Python files of scikit-learn, and from which."""
    return {
        alias.name: source
        for node in parse_file(file).body
        if isinstance(node, ast.ImportFrom) and (source := _file_of(node.module or "")) and source != file
        for alias in node.names
    }


def _file_of(module: str) -> Path | None:
    """The Python file of a module of scikit-learn; None for other modules and for compiled ones."""
    if not module.startswith("sklearn."):
        return None
    base = _folder().joinpath(*module.split(".")[1:])
    file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    return file if file.exists() else None


@lru_cache(maxsize=1)
def _folder() -> Path:
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None, "scikit-learn is a dependency"
    assert spec.submodule_search_locations is not None, "it is a package"
    return Path(spec.submodule_search_locations[0])
