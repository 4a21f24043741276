import csv
import zipfile

import numpy as np
import pytest

from dlrun.analysis.verify import verify
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.engine.model_files import load_model, load_predictor
from dlrun.errors import ConfigError, RunDirError
from dlrun.evaluate import evaluate
from dlrun.predict import predict
from dlrun.rehearse import rehearse
from dlrun.studies import retrain
from dlrun.train import train

RANDOM = np.random.default_rng(3)
TREE = {"DecisionTreeClassifier": {"max_depth": 8}}


def learner(estimator, data="iris", **keys):
    """A config of the routine on a small table."""
    return config_from_mapping(
        {"name": "tree", "data": data, "routine": {"name": "sklearn", "estimator": estimator}} | keys
    )


@pytest.fixture(scope="module")
def tree_run(tmp_path_factory):
    return train(learner(TREE), outputs=tmp_path_factory.mktemp("tree") / "outputs")


@pytest.fixture
def people(tmp_path):
    """120 people whose size and wealth tell their age, and whether they like apples and pears."""
    with (tmp_path / "people.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["size", "wealth", "age", "apples", "pears", "weight"])
        for size, wealth in RANDOM.uniform(0, 1, (120, 2)):
            rows.writerow([size, wealth, 20 + 50 * size, int(size > 0.5), int(wealth > 0.5), 1 + wealth])
    return {"name": "csv", "path": str(tmp_path / "people.csv")}


def test_a_run_has_one_row_of_history_and_the_metrics_of_a_network(tree_run):
    assert [sorted(row) for row in tree_run.history()] == [["accuracy", "loss", "val_accuracy", "val_loss"]]
    metrics = tree_run.metrics()
    assert metrics["best"]["val_accuracy"] > 0.85
    assert metrics["best_epoch"] == metrics["epochs"] == 1
    assert tree_run.status() == "completed"


def test_its_validation_score_is_that_of_evaluate_and_its_raw_predictions_those_of_its_rows(tree_run, tmp_path):
    config = load_config(tree_run.config_file)
    score = evaluate(config, tree_run.model_file("best"), run=tree_run, split="validation").score
    assert score.values["accuracy"] == pytest.approx(tree_run.metrics()["best"]["val_accuracy"])
    known = {row["input"]: row["prediction"] for row in predict(tree_run, config, split="training").rows}
    assert len(set(known.values())) == 3


def test_it_can_be_verified_and_trained_on_all_rows(tree_run, outputs):
    found = verify(tree_run, load_config(tree_run.config_file))
    assert found.equal
    assert found.left_out == ["estimator.skops: its scores on all rows speak for it"]
    final, _ = retrain.plan(tree_run, load_config(tree_run.config_file))
    assert train(final, outputs=outputs).metrics()["validated"] is False


def test_a_dry_run_needs_no_layers():
    assert rehearse(learner(TREE)).rows["training"] > 0


@pytest.mark.parametrize(
    ("estimator", "data", "metric", "least"),
    [
        ({"RandomForestRegressor": {"n_estimators": 20}}, {"target": "age"}, "r2", 0.8),
        ({"LinearRegression": {}}, {"target": "age", "scale_target": True}, "r2", 0.95),
        ({"RandomForestClassifier": {"n_estimators": 20}}, {"target": ["apples", "pears"]}, "accuracy", 0.8),
        ({"KNeighborsClassifier": {}}, {"target": "apples"}, "roc_auc", 0.8),
        ("RidgeClassifier", {"target": "apples"}, "accuracy", 0.8),
    ],
)
def test_all_kinds_of_targets_are_learned(people, outputs, estimator, data, metric, least):
    others = {"age", "apples", "pears"} - set(np.atleast_1d(data["target"]))
    if isinstance(data["target"], list):
        data = {**data, "task": "multilabel"}
    config = learner(estimator, {**people, **data, "drop": sorted(others)})
    run = train(config, outputs=outputs)
    config = load_config(run.config_file)
    assert evaluate(config, run.model_file("best"), run=run).score.values[metric] > least


def test_pictures_are_flattened(outputs):
    run = train(learner({"GaussianNB": {}}, {"name": "digits", "image": True}), outputs=outputs)
    assert run.metrics()["best"]["val_accuracy"] > 0.7
    assert "64 numbers" in run.log_file.read_text()


@pytest.mark.parametrize(
    ("estimator", "keys", "message"),
    [
        ("RandomForestClasifier", {}, "no estimator named"),
        ({"RandomForestClassifier": {"n_estimator": 3}}, {}, "n_estimator is not an argument of the estimator"),
        ({"RandomForestClassifier": {"bootstrap": 3}}, {}, "not true or false"),
        (["SVC"], {}, "is no estimator"),
        ("SVC", {"model": "mlp"}, "takes no model"),
    ],
)
def test_mistakes_are_told_before_anything_runs(estimator, keys, message):
    with pytest.raises(ConfigError, match=message):
        learner(estimator, **keys)


@pytest.mark.parametrize(
    ("estimator", "keys", "message"),
    [
        ({"RandomForestClassifier": {"n_estimators": "many"}}, {}, "refuses the arguments of RandomForestClassifier"),
        ("LinearRegression", {}, "does not suit the data, which is multiclass"),
        ("KNeighborsClassifier", {"training": {"class_weight": "balanced"}}, "cannot weigh rows"),
        ("GaussianNB", {"loss": {"SparseCategoricalCrossentropy": {"from_logits": True}}}, "says from_logits"),
    ],
)
def test_what_only_the_run_can_tell_is_a_config_error_too(outputs, estimator, keys, message):
    with pytest.raises(ConfigError, match=message):
        train(learner(estimator, **keys), outputs=outputs)


def test_weights_of_classes_and_rows_reach_the_estimator(people, outputs):
    data = {**people, "target": "apples", "drop": ["age", "pears", "weight"]}
    config = learner("GaussianNB", data, training={"class_weight": {"0": 0.0001, "1": 1000.0}})
    run = train(config, outputs=outputs)
    predicted = {row["prediction"] for row in predict(run, load_config(run.config_file)).rows}
    assert predicted == {"1"}


def test_a_file_with_other_types_is_not_read(tree_run, tmp_path):
    path = tmp_path / "estimator.skops"
    with zipfile.ZipFile(tree_run.estimator_file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"DecisionTreeClassifier", b"DecisionTreeClassifieX"))
    with pytest.raises(RunDirError, match="DecisionTreeClassifieX, which dlrun does not read"):
        evaluate(load_config(tree_run.config_file), path)


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_a_file_that_is_cut_off_is_told(tree_run, tmp_path, cut):
    path = tmp_path / "estimator.skops"
    path.write_bytes(tree_run.estimator_file.read_bytes()[:cut])
    with pytest.raises(RunDirError, match=r"estimator\.skops cannot be read"):
        load_predictor(path)


def test_where_layers_are_wanted_an_estimator_is_refused(tree_run):
    with pytest.raises(RunDirError, match="this is for models of Keras"):
        load_model(tree_run.model_file("best"))
