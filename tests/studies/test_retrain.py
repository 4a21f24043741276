import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.engine.resolve import load_data
from dlrun.errors import RunDirError
from dlrun.run_dir import RunDir
from dlrun.studies.retrain import on_all_rows, plan


def test_the_plan_joins_validation_to_training_and_keeps_test(digits_run):
    config = load_config(digits_run.config_file, ["callbacks=[EarlyStopping, TerminateOnNaN]"])
    final, notes = plan(digits_run, config)
    assert final.training.epochs == digits_run.metrics()["best_epoch"]
    assert [callback.name for callback in final.callbacks] == ["TerminateOnNaN"]
    assert final.name == "digits-retrain"
    assert any("without EarlyStopping" in note for note in notes)
    before, after = load_data(config), load_data(final)
    np.testing.assert_array_equal(before.splits["test"], after.splits["test"])
    joined = np.union1d(before.splits["training"], before.splits["validation"])
    np.testing.assert_array_equal(np.sort(after.splits["training"]), joined)


def test_epochs_and_batch_size_can_be_given(digits_run):
    final, _ = plan(digits_run, load_config(digits_run.config_file), epochs=7, batch_size=16)
    assert (final.training.epochs, final.training.batch_size) == (7, 16)


@pytest.mark.parametrize(
    ("began", "epochs", "planned"),
    [
        ([0, 2, 4], 7, [2, 2, 3]),  # a callback ended the first stage before its third epoch
        ([0, 2, 4], 4, [2, 2]),
        ([0, 2], 7, [2, 2, 3]),  # a run that was stopped in its second stage
        ([0], 20, [3, 2, 15]),
        ([], 6, [3, 2, 1]),
    ],
)
def test_stages_begin_where_they_began_and_the_last_one_takes_the_rest(digits_run, began, epochs, planned):
    stages = "training.stages=[{epochs: 3}, {epochs: 2, learning_rate: 1e-4}, {epochs: 4, unfreeze: all}]"
    config = load_config(digits_run.config_file, [stages])
    final, _ = on_all_rows(config, epochs, None, began)
    assert [stage.epochs for stage in final.training.stages] == planned
    assert final.training.epochs == epochs


def test_a_run_without_metrics_cannot_be_retrained(digits_run, outputs):
    run = RunDir.create(outputs, "x")
    with pytest.raises(RunDirError, match=r"metrics\.json is missing"):
        plan(run, load_config(digits_run.config_file))
