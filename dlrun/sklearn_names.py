"""What the installed scikit-learn calls its estimators and which arguments they take, read without importing it."""

from __future__ import annotations

import ast
import importlib.util
from functools import lru_cache
from pathlib import Path

from dlrun.errors import UnknownNameError, did_you_mean, listing
from dlrun.signatures import Signature, parse_file, signature_of

_PACKAGES = (
    *("ensemble", "linear_model", "svm", "neighbors", "tree", "neural_network", "gaussian_process"),
    *("naive_bayes", "discriminant_analysis", "kernel_ridge", "dummy"),
)
_OTHERS = {  # what predicts neither classes nor numbers, or wants other estimators, which a config cannot hold
    *("BaseEnsemble", "IsolationForest", "RandomTreesEmbedding", "OneClassSVM", "SGDOneClassSVM", "BernoulliRBM"),
    *("BallTree", "KDTree", "KernelDensity", "NearestNeighbors", "LocalOutlierFactor", "KNeighborsTransformer"),
    *("RadiusNeighborsTransformer", "NeighborhoodComponentsAnalysis", "StackingClassifier", "StackingRegressor"),
    *("VotingClassifier", "VotingRegressor"),
}


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
    file = _sources()[name][1]
    for node in parse_file(file).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return signature_of(node, file)
    return Signature(name, (), True, "", file, 1)


def unknown(name: str) -> UnknownNameError:
    """The error for a name that scikit-learn does not have."""
    return UnknownNameError(
        f"scikit-learn has no estimator named {name!r}",
        expected=listing(names()),
        hint=did_you_mean(name, names()),
    )


@lru_cache(maxsize=1)
def _sources() -> dict[str, tuple[str, Path]]:
    """Public module and file of each estimator by name."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None, "scikit-learn is a dependency"
    assert spec.submodule_search_locations is not None, "it is a package"
    folder = Path(spec.submodule_search_locations[0])
    found = {}
    for package in _PACKAGES:
        inside = folder / package / "__init__.py"
        file = inside if inside.exists() else folder / f"{package}.py"
        for name, source in _classes(file, folder).items():
            if name not in _OTHERS:
                found[name] = (f"sklearn.{package}", source)
    return found


def _classes(file: Path, folder: Path) -> dict[str, Path]:
    """The public classes that a file defines, or imports from others of scikit-learn."""
    found = {}
    for node in parse_file(file).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = file
        elif isinstance(node, ast.ImportFrom) and file.name == "__init__.py" and node.module:
            if not node.module.startswith("sklearn."):
                continue
            source = folder.joinpath(*node.module.split(".")[1:]).with_suffix(".py")
            found |= {alias.name: source for alias in node.names}
    return {name: source for name, source in found.items() if name[0].isupper()}
