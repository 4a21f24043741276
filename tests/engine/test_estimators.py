import importlib

import numpy as np
import pytest
import sklearn.datasets
from sklearn.base import is_classifier

from dlrun import sklearn_names
from dlrun.engine.estimators import EstimatorModel, load_estimator, make_estimator, save_estimator
from dlrun.errors import ConfigError, TrainingError
from dlrun.run_dir import RunDir
from dlrun.spec import Task

FLOWERS, LABELS = sklearn.datasets.load_iris(return_X_y=True)
ROWS = np.arange(0, 150, 3)
WANT_SEVERAL_NUMBERS = "MultiTask"  # at the beginning of their names


def _fitted(name):
    classes = is_classifier(_class_of(name)())
    task = Task("multiclass", ("a", "b", "c")) if classes else Task("regression")
    estimator = make_estimator(name, task, 1, ("routine", "estimator"))
    targets = LABELS[ROWS] if classes else LABELS[ROWS] + 1.0
    if name.startswith(WANT_SEVERAL_NUMBERS):
        targets = np.stack([targets, targets], axis=1)
    return EstimatorModel(estimator.fit(FLOWERS[ROWS], targets), task.kind, task.head.units)


def _class_of(name):
    return getattr(importlib.import_module(sklearn_names.module_of(name)), name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sklearn_names.names())
def test_an_estimator_predicts_the_same_once_it_is_read_again(name, tmp_path):
    model, run = _fitted(name), RunDir(tmp_path)
    save_estimator(run, model)
    again = load_estimator(run.estimator_file)
    assert np.isfinite(again.outputs_of(FLOWERS)).all()
    np.testing.assert_array_equal(again.outputs_of(FLOWERS), model.outputs_of(FLOWERS))


def test_an_estimator_of_other_types_is_not_kept(tmp_path):
    model = _fitted("GaussianNB")
    model.estimator.note = ConfigError
    with pytest.raises(TrainingError, match=r"does not read dlrun\.errors\.ConfigError"):
        save_estimator(RunDir(tmp_path), model)
    assert list(tmp_path.iterdir()) == []


def test_a_class_without_a_training_row_has_probability_zero():
    task = Task("multiclass", ("a", "b", "c", "d"))
    estimator = make_estimator("GaussianNB", task, 1, ("routine",)).fit(FLOWERS, np.where(LABELS == 1, 3, LABELS))
    found = EstimatorModel(estimator, task.kind, task.head.units).outputs_of(FLOWERS)
    assert found.shape == (150, 4)
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_an_estimator_has_the_seed_of_the_run_unless_it_states_its_own():
    task = Task("binary", ("no", "yes"))
    assert make_estimator("RandomForestClassifier", task, 7, ("routine",)).random_state == 7
    stated = {"RandomForestClassifier": {"random_state": 3}}
    assert make_estimator(stated, task, 7, ("routine",)).random_state == 3
