import importlib
import inspect

import pytest
from sklearn.base import is_classifier, is_regressor

from dlrun import sklearn_names
from dlrun.errors import UnknownNameError


def _class(name):
    return getattr(importlib.import_module(sklearn_names.module_of(name)), name)


def test_many_estimators_are_found_and_all_of_them_predict_classes_or_numbers():
    names = sklearn_names.names()
    assert {"RandomForestClassifier", "PoissonRegressor", "GaussianNB", "KernelRidge", "SVC"} <= set(names)
    assert len(names) > 70
    assert [name for name in names if not (is_classifier(_class(name)()) or is_regressor(_class(name)()))] == []


def test_the_arguments_read_from_source_are_those_that_the_classes_take():
    for name in sklearn_names.names():
        found = sklearn_names.signature(name)
        if not found.open:
            taken = inspect.signature(_class(name)).parameters
            assert {p.name: p.default for p in found.parameters}.keys() == taken.keys(), name


def test_few_estimators_take_arguments_that_the_source_does_not_tell():
    assert [name for name in sklearn_names.names() if sklearn_names.signature(name).open] == []


def test_an_unknown_estimator_is_told_with_what_is_near():
    with pytest.raises(UnknownNameError, match="RandomForest") as caught:
        sklearn_names.signature("RandomForest")
    assert "RandomForest" in caught.value.problems[0].hint
