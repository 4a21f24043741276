"""One run with three tasks, and one with several labels per row, from training to predictions."""

import csv

import numpy as np
import pytest

from dlrun.cli import _evaluation_tables
from dlrun.cli._run_summary import end_rows
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.errors import ConfigError
from dlrun.evaluate import evaluate
from dlrun.predict import predict
from dlrun.rehearse import rehearse
from dlrun.run_dir import RunDir, read_json
from dlrun.train import train

RANDOM = np.random.default_rng(1)
TASKS = {"age": "regression", "income": "multiclass", "gender": "binary"}


def write_people(path):
    """120 people whose size and wealth tell their age, income and gender, who like apples or pears or both."""
    age, gender = RANDOM.uniform(20, 80, 120), RANDOM.integers(0, 2, 120)
    size, wealth = age / 10 + RANDOM.normal(0, 0.3, 120), gender * 2 + RANDOM.normal(0, 0.3, 120)
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["size", "wealth", "age", "income", "gender", "apples", "pears"])
        for row in range(120):
            income = "lmh"[int(age[row] // 28) if age[row] < 80 else 2]
            flags = [int(size[row] > 5), int(wealth[row] > 1)]
            rows.writerow([size[row], wealth[row], age[row], income, "fm"[gender[row]], *flags])


def people_config(folder, target, drop, **sections):
    return config_from_mapping(
        {
            "name": "people",
            "data": {"name": "csv", "path": str(folder / "people.csv"), "target": target, "drop": drop},
            "model": {"name": "mlp", "hidden": [8]},
            "optimizer": {"name": "adam", "learning_rate": 0.05},
            "training": {"epochs": 4, "tensorboard": False},
            "runtime": {"jit_compile": False},
            **sections,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "people.csv")
    return folder


@pytest.fixture(scope="module")
def several(folder):
    """A finished run with three tasks."""
    outputs = {"age": {"weight": 0.25}, "income": {"metrics": ["accuracy", {"CategoricalAccuracy": {"name": "right"}}]}}
    config = people_config(folder, TASKS, ["apples", "pears"], outputs=outputs, monitor="val_income_right")
    return train(config, outputs=folder / "outputs")


@pytest.fixture(scope="module")
def labels(folder):
    """A finished run with two labels per row."""
    config = people_config(folder, ["apples", "pears"], ["age", "income", "gender"])
    return train(config, outputs=folder / "labels")


def test_the_config_of_the_run_states_every_output(several):
    config = load_config(several.config_file)
    assert {name: (output.loss, output.weight, output.metrics) for name, output in config.outputs.items()} == {
        "age": ("mse", 0.25, ["mae"]),
        "income": ("categorical_crossentropy", 1, ["accuracy", {"CategoricalAccuracy": {"name": "right"}}]),
        "gender": ("binary_crossentropy", 1, ["accuracy"]),
    }
    assert (config.loss, config.metrics, config.monitor.mode) == (None, None, "max")


def test_the_loss_is_the_weighted_sum_of_those_of_the_outputs(several):
    for row in several.history():
        parts = 0.25 * row["val_age_loss"] + row["val_income_loss"] + row["val_gender_loss"]
        assert row["val_loss"] == pytest.approx(parts, rel=1e-4)


def test_every_output_stands_beside_its_baselines(several):
    metrics = several.metrics()
    levels = metrics["baselines"]
    assert {"val_age_mae", "val_age_loss", "val_income_loss", "val_gender_accuracy_shuffled"} <= levels.keys()
    weighted = 0.25 * levels["val_age_loss"] + levels["val_income_loss"] + levels["val_gender_loss"]
    assert levels["val_loss"] == pytest.approx(weighted)
    assert metrics["best_original"]["val_age_mae"] > 3 * metrics["best"]["val_age_mae"]
    assert set(metrics["baselines_original"]) == {"age_mae", "age_mse", "age_rmse"}
    shown = dict(end_rows(several, metrics))
    assert "shuffled labels" in shown["val_gender_accuracy"]
    assert "val_age_mae, original units" in shown


def test_evaluate_scores_every_output_as_training_logged_it(several, capsys):
    found = evaluate(load_config(several.config_file), several.model_file("best"), run=several, split="validation")
    best = several.metrics()["best"]
    losses = {name: output.score.values["loss"] for name, output in found.outputs.items()}
    assert losses == pytest.approx({name: best[f"val_{name}_loss"] for name in TASKS}, rel=1e-5)
    assert found.as_dict()["total"] == {"loss": pytest.approx(best["val_loss"], rel=1e-5)}
    assert found.outputs["income"].score.values["accuracy"] == pytest.approx(best["val_income_accuracy"], abs=1e-6)
    mae = several.metrics()["best_original"]["val_age_mae"]
    assert found.outputs["age"].score.values["mae"] == pytest.approx(mae, rel=1e-4)
    written = read_json(found.file)
    assert written["outputs"]["gender"]["labels"] == ["f", "m"]
    assert "values" not in written
    assert found.file.with_name(f"{found.file.stem}-income.png").exists()
    with pytest.raises(ValueError, match="too many values"):
        _ = found.score
    _evaluation_tables.show(found, several, quiet=True, notes=[])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in TASKS] == ["age", "income", "gender"]
    assert any(line.startswith("metric") and "shuffled labels" in line for line in lines)


def test_predictions_have_the_columns_of_every_output(several):
    found = predict(several, load_config(several.config_file), split="validation")
    assert found.columns == ["input", "age", "income", "income_probability", "gender", "gender_probability"]
    assert {row["income"] for row in found.rows} <= set("lmh")
    assert all(10 < row["age"] < 90 for row in found.rows)
    with found.file.open() as stream:
        assert next(csv.reader(stream)) == found.columns


def test_a_run_of_several_outputs_rehearses(folder):
    config = people_config(folder, TASKS, ["apples", "pears"])
    assert rehearse(config).model.layers[-1].name in TASKS


@pytest.mark.parametrize(
    ("target", "sections", "message"),
    [
        (
            TASKS,
            {"loss": "mse"},
            r"the data has several tasks: age, income, gender\n  hint      write outputs: \{age: \{loss",
        ),
        (TASKS, {"metrics": ["mae"]}, r"write outputs: \{age: \{metrics: \.\.\.\}"),
        (TASKS, {"outputs": {"agee": {"loss": "mae"}}}, "(?s)the data has no task 'agee'.*did you mean age"),
        (TASKS, {"outputs": {"age": {"loss": "binary_crossentropy"}}}, "the loss binary_crossentropy does not fit"),
        (TASKS, {"outputs": {"age": {"metrics": ["accuracy"]}}}, "the metric accuracy does not fit"),
        (
            TASKS,
            {"monitor": "val_agee_loss"},
            "(?s)val_agee_loss is not a metric of this run.*did you mean val_age_loss",
        ),
        (TASKS, {"training": {"class_weight": "balanced"}}, "class weights are for data with one task"),
        ("age", {"outputs": {"age": {"loss": "mae"}}}, "the data has one task, age, and needs no `outputs`"),
        (["apples", "pears"], {"metrics": ["accuracy"]}, "a sample may have several"),
    ],
)
def test_sections_that_do_not_fit_the_tasks_are_refused_before_training(folder, tmp_path, target, sections, message):
    with pytest.raises(ConfigError, match=message):
        train(people_config(folder, target, [], **sections), outputs=tmp_path)
    (record,) = tmp_path.glob("*/*/run.json")
    assert RunDir(record.parent).status() == "failed"


def test_several_labels_are_scored_one_by_one_and_together(labels, capsys):
    found = evaluate(load_config(labels.config_file), labels.model_file("best"), run=labels, split="validation")
    score = found.score
    assert score.values["accuracy"] == pytest.approx(labels.metrics()["best"]["val_binary_accuracy"], abs=1e-6)
    assert score.values["exact_match"] <= score.values["accuracy"]
    assert [row["label"] for row in score.per_class] == ["apples", "pears"]
    _evaluation_tables.show(found, labels, quiet=False, notes=[])
    assert "apples" in capsys.readouterr().out


def test_several_labels_have_baselines(labels):
    levels = labels.metrics()["baselines"]
    assert levels.keys() == {"val_binary_accuracy", "val_binary_accuracy_shuffled", "val_loss"}
    assert levels["val_loss"] == pytest.approx(np.log(2), abs=0.05)


def test_several_labels_are_predicted_together_with_the_probability_of_each(labels):
    found = predict(labels, load_config(labels.config_file))
    assert found.columns == ["input", "prediction", "probability_apples", "probability_pears"]
    for row in found.rows:
        chosen = [name for name in ("apples", "pears") if row[f"probability_{name}"] > 0.5]
        assert row["prediction"] == " + ".join(chosen)
