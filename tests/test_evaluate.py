import shutil

import keras
import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.errors import ConfigError, DataError, RunDirError
from dlrun.evaluate import evaluate
from dlrun.run_dir import RunDir, read_json


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy of the shared run, which a test may change."""
    return RunDir(shutil.copytree(digits_run.path, tmp_path / "outputs" / "digits" / digits_run.id))


def test_validation_scores_what_training_logged(run):
    evaluation = evaluate(load_config(run.config_file), run.model_file("best"), run=run, split="validation")
    metrics = run.metrics()
    values, (levels,) = evaluation.score.values, [output.baselines for output in evaluation.outputs.values()]
    assert values["accuracy"] == pytest.approx(metrics["best"]["val_accuracy"], abs=1e-6)
    assert values["loss"] == pytest.approx(metrics["best"]["val_loss"], rel=1e-5)
    assert levels["loss"] == pytest.approx(metrics["baselines"]["val_loss"])
    assert run.record()["test_readings"] == []


@pytest.mark.usefixtures("pictures")
def test_every_reading_of_test_is_recorded(run):
    config = load_config(run.config_file)
    for number in (1, 2):
        assert evaluate(config, run.model_file("best"), run=run).reading == number
    readings = run.record()["test_readings"]
    assert [reading["model"] for reading in readings] == ["best.keras", "best.keras"]
    written = read_json(run.evaluations / readings[1]["file"])
    assert written["split"] == "test"
    assert written["rows"] == 359
    assert (run.evaluations / "001-test-best.png").read_bytes()[:4] == b"\x89PNG"


def test_the_confusion_matrix_counts_every_row_and_the_interval_holds_the_value(run):
    score = evaluate(load_config(run.config_file), run.model_file("best"), run=run).score
    confusion = np.array(score.confusion)
    assert confusion.sum() == 359
    assert confusion.trace() / 359 == pytest.approx(score.values["accuracy"])
    assert confusion.sum(axis=1).tolist() == [row["rows"] for row in score.per_class]
    low, high = score.intervals["accuracy"]
    assert low < score.values["accuracy"] < high


def test_a_keras_file_outside_a_run_is_scored_with_a_config_and_writes_nothing(run, tmp_path):
    file = shutil.copy(run.model_file("best"), tmp_path / "elsewhere.keras")
    before = run.record_file.read_text()
    evaluation = evaluate(load_config(run.config_file), file, split="validation")
    assert evaluation.file is None
    assert run.record_file.read_text() == before


def test_changed_data_is_said(run):
    config = load_config(run.config_file, ["split.seed=99"])
    (note,) = evaluate(config, run.model_file("best"), run=run).notes
    assert "not what the run was trained on" in note


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 half"])
def test_a_damaged_model_file_is_one_clear_error(run, content):
    run.model_file("best").write_bytes(content)
    with pytest.raises(RunDirError, match=r"best\.keras is damaged, or not a \.keras file"):
        evaluate(load_config(run.config_file), run.model_file("best"), run=run)


def test_a_missing_model_file_is_one_clear_error(run):
    run.model_file("best").unlink()
    with pytest.raises(RunDirError, match="there is no model at"):
        evaluate(load_config(run.config_file), run.model_file("best"), run=run)


def test_a_split_without_rows_is_refused(run):
    config = load_config(run.config_file, ["split.validation=0", "monitor=loss"])
    with pytest.raises(DataError, match="the data has no validation part"):
        evaluate(config, run.model_file("best"), split="validation")


def test_a_model_of_another_shape_is_refused(run, tmp_path):
    file = tmp_path / "other.keras"
    keras.Sequential([keras.Input((64,)), keras.layers.Dense(3)]).save(file)
    with pytest.raises(ConfigError, match="the data wants 10 per sample"):
        evaluate(load_config(run.config_file), file)
