import json
import re
import shutil

import numpy as np
import pytest
import sklearn.datasets

from dlrun.cli import main
from dlrun.config.loading import config_from_mapping
from dlrun.ensemble import evaluate_ensemble, make_ensemble, open_ensemble, predict_raw
from dlrun.errors import ConfigError, RunDirError
from dlrun.run_dir import RunDir, find_run
from dlrun.train import train

FOREST = {"name": "sklearn", "estimator": {"RandomForestClassifier": {"n_estimators": 20}}}
CONVNET = {"name": "convnet", "filters": [8]}
QUICK = {"training": {"epochs": 2, "tensorboard": False}, "runtime": {"jit_compile": False}}


def estimator_run(folder, estimator, data="iris", **keys):
    routine = {"name": "sklearn", "estimator": estimator}
    return train(config_from_mapping({"name": "tree", "data": data, "routine": routine, **keys}), outputs=folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory, digits_run):
    """A net, a convnet on the same rows as pictures, and a forest; and the folder of all runs."""
    outputs = tmp_path_factory.mktemp("ensemble") / "outputs"
    shutil.copytree(digits_run.path, outputs / "digits" / digits_run.id)
    net = RunDir(outputs / "digits" / digits_run.id)
    pictures = {"name": "convnet", "data": {"name": "digits", "image": True}, "model": CONVNET, **QUICK}
    convnet = train(config_from_mapping(pictures), outputs=outputs)
    forest = train(config_from_mapping({"name": "forest", "data": "digits", "routine": FOREST}), outputs=outputs)
    return outputs, [net, convnet, forest]


def best(rows, metric="accuracy"):
    return max(row.metrics[metric] for row in rows)


@pytest.mark.parametrize("method", ["nelder-mead", "random"])
def test_three_different_runs_with_searched_weights_are_as_good_as_the_best_of_them(shared, method):
    outputs, runs = shared
    made = make_ensemble(runs, outputs, weights=method)
    scores = made.validation["digit"]
    assert scores.ensemble.metrics["accuracy"] >= best(scores.members)
    assert scores.rows == 288
    assert sum(made.weights["digit"]) == pytest.approx(1)
    assert len(scores.pairs) == 3
    assert all(0 < pair.disagreement < 1 for pair in scores.pairs)
    assert any("chosen on these 288 validation rows" in note for note in made.notes)
    assert any("different inputs; their rows and targets are equal" in note for note in made.notes)


def test_test_is_read_when_asked_for_and_counts_for_every_member(shared, capsys):
    outputs, runs = shared
    made = make_ensemble(runs[:2], outputs, how="geometric")
    assert [run.record()["test_readings"] for run in runs] == [[], [], []]
    scores = evaluate_ensemble(open_ensemble(made.folder))["digit"]
    assert scores.rows == 359
    for run in runs[:2]:
        (reading,) = run.record()["test_readings"]
        assert (run.path / reading["file"]).resolve() == made.folder / "test-001.json"
    assert runs[2].record()["test_readings"] == []
    assert main(["ensemble", str(made.folder), "--evaluate"]) == 0
    assert f"the test part of {runs[0].id} has been read 2 times" in capsys.readouterr().err


def test_an_ensemble_that_was_written_predicts_raw_rows_as_it_scored(shared, tmp_path):
    outputs, runs = shared
    made = make_ensemble([runs[0], runs[2]], outputs, weights="1,3")
    path = tmp_path / "rows.csv"
    pixels, labels = sklearn.datasets.load_digits(return_X_y=True)
    np.savetxt(path, pixels[:40], fmt="%d", delimiter=",")
    found = predict_raw(open_ensemble(made.folder), [str(path)])
    right = [row["prediction"] == str(label) for row, label in zip(found.rows, labels, strict=False)]
    assert np.mean(right) > 0.9
    assert found.file.parent == made.folder / "predictions"


def test_runs_are_still_listed_beside_an_ensemble(shared, capsys):
    outputs, runs = shared
    make_ensemble(runs[:2], outputs)
    assert find_run("forest", outputs).path == runs[2].path
    assert main(["runs", "--outputs", str(outputs), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 3


def test_the_verb_prints_members_ensemble_and_pairs(shared, capsys):
    outputs, runs = shared
    words = ["ensemble", *(str(run.path) for run in runs[::2]), "--outputs", str(outputs)]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"{runs[0].id} +0\.500 +0\.\d+ +0\.\d+ to", shown)
    assert "correlation of errors" in shown
    folder = re.search(r"ensemble  (\S+)", shown)[1]
    assert main(["ensemble", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"] == {"digit": [0.5, 0.5]}
    assert main(["ensemble", folder]) == 0
    assert capsys.readouterr().out == shown
    assert main(["ensemble", folder, "--combine", "mean"]) == 2


def test_runs_on_other_rows_are_refused_with_what_differs(shared, digits, outputs):
    _, runs = shared
    other = train(digits(seed=2, training={"epochs": 1, "tensorboard": False}), outputs=outputs)
    with pytest.raises(ConfigError, match="other rows in their parts") as caught:
        make_ensemble([runs[0], other], outputs)
    problem = caught.value.problems[0]
    assert problem.received == f"{runs[0].id}: seed 1\n{other.id}: seed 2"
    assert "split.seed=1" in problem.hint


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (1, {}, "two runs or more"),
        (2, {"how": "median"}, "--combine is not understood"),
        (2, {"weights": "1,2,3"}, "--weights does not fit"),
    ],
)
def test_what_makes_no_ensemble_is_refused(shared, outputs, count, options, message):
    with pytest.raises(ConfigError, match=message):
        make_ensemble(shared[1][:count], outputs, **options)


def test_a_run_cannot_be_two_members(shared, outputs):
    with pytest.raises(ConfigError, match="named twice"):
        make_ensemble([shared[1][0]] * 2, outputs)


@pytest.mark.parametrize(
    ("key", "value"),
    [("combine", "best"), ("weights", {"digit": [1.0]}), ("validation", {"digit": {}}), ("seed", None)],
)
def test_a_record_that_is_damaged_is_told(shared, key, value):
    outputs, runs = shared
    file = make_ensemble(runs[:2], outputs).folder / "ensemble.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(RunDirError, match=r"ensemble\.json is damaged"):
        open_ensemble(file.parent)


def test_a_member_that_is_gone_is_told(shared, tmp_path):
    outputs, runs = shared
    made = make_ensemble(runs[:2], outputs)
    moved = tmp_path / "moved" / "ensembles" / made.folder.name
    shutil.copytree(made.folder, moved)
    with pytest.raises(RunDirError, match=r"a member of the ensemble \S+ is gone"):
        open_ensemble(moved)


def test_numbers_are_averaged_in_their_own_units_whatever_a_member_was_trained_with(outputs):
    path = outputs.parent / "sizes.csv"
    size = np.random.default_rng(1).uniform(0, 1, 200)
    np.savetxt(path, np.stack([size, 1000 * size**2], axis=1), header="size,price", comments="", delimiter=",")
    data = {"name": "csv", "path": str(path), "target": "price"}
    estimators = {"LinearRegression": {}}, {"DecisionTreeRegressor": {"max_depth": 3}}
    runs = [
        estimator_run(outputs, one, {**data, "scale_target": scaled})
        for one, scaled in zip(estimators, (True, False), strict=True)
    ]
    made = make_ensemble(runs, outputs, weights="nelder-mead")
    (scores,) = made.validation.values()
    assert scores.ensemble.metrics["mae"] <= min(row.metrics["mae"] for row in scores.members) < 100
    assert scores.pairs[0].disagreement is None
    with pytest.raises(ConfigError, match="for probabilities"):
        make_ensemble(runs, outputs, how="geometric")


@pytest.mark.slow
def test_several_outputs_have_weights_each(outputs):
    def learn(units):
        model = {
            "name": "layers",
            "layers": [{"Embedding": {"input_dim": 10000, "output_dim": 4}}, "GlobalAveragePooling1D"],
        }
        model["layers"].append({"Dense": {"units": units}})
        data = {"name": "social_posts"}
        return train(config_from_mapping({"name": "posts", "data": data, "model": model, **QUICK}), outputs=outputs)

    made = make_ensemble([learn(4), learn(8)], outputs, weights="random")
    assert made.weights.keys() == made.validation.keys() == {"age", "income", "gender"}
    for name, scores in made.validation.items():
        best_member = min((row.metrics.get("mae", 1 - row.metrics.get("accuracy", 0))) for row in scores.members)
        own = scores.ensemble.metrics
        assert own.get("mae", 1 - own.get("accuracy", 0)) <= best_member + 1e-12, name


def test_runs_without_validation_take_given_weights_only(outputs):
    runs = [estimator_run(outputs, one, split={"validation": 0}) for one in ("GaussianNB", "DecisionTreeClassifier")]
    made = make_ensemble(runs, outputs, weights="0.4,0.6")
    assert made.validation == {}
    (scores,) = evaluate_ensemble(made).values()
    assert scores.ensemble.metrics["accuracy"] > 0.8
    with pytest.raises(Exception, match="no validation part to search weights on"):
        make_ensemble(runs, outputs, weights="random")
