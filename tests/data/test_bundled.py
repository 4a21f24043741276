"""Tables that come with scikit-learn."""

import numpy as np
import pytest
import sklearn.datasets
from sklearn.linear_model import LinearRegression, LogisticRegression

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.errors import DataError

FACTS = {
    "iris": (150, 4, "multiclass", ("setosa", "versicolor", "virginica"), 0.9),
    "wine": (178, 13, "multiclass", ("class_0", "class_1", "class_2"), 0.9),
    "breast_cancer": (569, 30, "binary", ("malignant", "benign"), 0.9),
    "diabetes": (442, 10, "regression", (), 0.3),
}


def prepare(name, **options):
    return prepare_data(name, options, context=DataContext(), split=Split().model_dump(), seed=1)


@pytest.mark.parametrize("name", FACTS)
def test_the_table_is_that_of_scikit_learn(name):
    rows, width, kind, labels, _ = FACTS[name]
    prepared = prepare(name, numeric_transforms=[])
    options = {"scaled": False} if name == "diabetes" else {}
    values, targets = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True, **options)
    ((target, task),) = prepared.spec.tasks.items()
    assert (task.kind, task.labels, prepared.spec.input.shape) == (kind, labels, (width,))
    assert len(prepared.arrays["features"]) == rows
    np.testing.assert_allclose(prepared.arrays["features"], values, rtol=1e-6)
    np.testing.assert_array_equal(prepared.original_targets[target], targets)


@pytest.mark.parametrize("name", FACTS)
def test_a_linear_model_learns_what_is_at_rest(name):
    prepared = prepare(name)
    (targets,) = prepared.targets.values()
    (model,) = [LinearRegression() if FACTS[name][2] == "regression" else LogisticRegression()]
    features, training, test = prepared.arrays["features"], prepared.splits["training"], prepared.splits["test"]
    assert features[training].mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert model.fit(features[training], targets[training]).score(features[test], targets[test]) > FACTS[name][4]


def test_predict_takes_rows_by_name(tmp_path):
    prepared = prepare("iris", numeric_transforms=[])
    frame = "petal width (cm),petal length (cm),sepal width (cm),sepal length (cm),colour\n0.2,1.4,3.5,5.1,blue\n"
    (tmp_path / "a.csv").write_text(frame)
    raw = prepared.encoder.read([tmp_path / "a.csv"])
    np.testing.assert_allclose(prepared.encoder.apply(raw)["features"], [[5.1, 3.5, 1.4, 0.2]])


def test_a_row_without_names_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("5.1,3.5,1.4,0.2\n4.9,3.0,1.4,0.2\n")
    with pytest.raises(DataError, match=r"the column 'sepal length \(cm\)' is missing"):
        prepare("iris").encoder.read([tmp_path / "a.csv"])


def test_the_sample_is_the_data_itself_and_says_so():
    split = Split().model_dump()
    prepared = prepare_data("wine", {}, context=DataContext(sample=True), split=split, seed=1)
    assert not prepared.fingerprint["sample"]
    assert prepared.notes == ["wine comes with scikit-learn, so --sample changes nothing"]


def test_numbers_are_trained_on_in_a_scale_of_their_own_or_not():
    assert list(prepare("diabetes").target_scales) == ["progression"]
    assert prepare("diabetes", scale_target=False).target_scales == {}
