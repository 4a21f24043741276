import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dlrun.analysis.verify import Verification, plan, verify
from dlrun.cli import main
from dlrun.cli.verify import result_rows
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.errors import ConfigError, DataError, RunDirError
from dlrun.run_dir import RunDir
from dlrun.train import train

SHORT = {"epochs": 2, "batch_size": 8, "tensorboard": False}


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy of a finished run of three epochs, which a test may spoil."""
    copy = RunDir(Path(shutil.copytree(digits_run.path, tmp_path / "outputs" / "digits" / digits_run.id)))
    copy.update(git=[])  # or who edits dlrun while the tests run sees a reason for a difference
    return copy


@pytest.fixture
def table_run(tmp_path):
    """Trains on a CSV in `tmp_path`; keyword arguments replace top-level keys."""
    rows = "".join(f"{n % 7},{n % 5},{'yes' if n % 7 > n % 5 else 'no'}\n" for n in range(60))
    (tmp_path / "rows.csv").write_text(f"a,b,target\n{rows}")

    def make(**keys):
        data = {"name": "csv", "path": str(tmp_path / "rows.csv"), "target": "target"}
        values = {"name": "table", "data": data, "model": {"name": "mlp", "hidden": [4]}, "training": SHORT}
        made = train(config_from_mapping({**values, **keys}), outputs=tmp_path / "outputs")
        made.update(git=[])
        return made

    return make


def verified(run, **options):
    return verify(run, load_config(run.config_file), **options)


def change_cell(run, epoch, column, value):
    header, *rows = [line.split(",") for line in run.history_file.read_text().splitlines()]
    rows[epoch - 1][header.index(column)] = value
    run.history_file.write_text("".join(",".join(row) + "\n" for row in [header, *rows]))


def test_a_run_repeats_in_history_weights_and_optimizer_and_says_so_in_its_record(run):
    found = verified(run)
    assert found.equal
    assert found.compared == ["history.csv (3 epochs)", "weights", "optimizer state", "best weights", "best.keras"]
    assert (found.reasons, found.left_out) == ([], [])
    (entry,) = run.record()["verifications"]
    assert (entry["equal"], entry["epochs"], entry["whole"]) == (True, 3, True)
    assert entry["versions"]["keras"]


def test_one_changed_digit_is_found_and_only_where_it_was_looked_for(run):
    change_cell(run, 2, "val_loss", "1.25")
    found = verified(run)
    assert not found.equal
    assert (found.history.epoch, found.history.metric, found.history.before) == (2, "val_loss", "1.25")
    assert (found.history.differing, found.weights) == (1, [])
    assert verified(run, epochs=1).equal
    assert [entry["equal"] for entry in run.record()["verifications"]] == [False, True]


def test_one_changed_weight_is_found(run):
    file = sorted(run.checkpoint.glob("*/arrays.npz"))[-1]
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["model/0"][0, 0] += 1.0
    np.savez(file, **arrays)
    (difference,) = verified(run).weights
    assert (difference.group, difference.differing, difference.largest) == ("weights", 1, pytest.approx(1.0))


def test_without_a_checkpoint_the_last_model_is_compared(run):
    shutil.rmtree(run.checkpoint)
    found = verified(run)
    assert found.equal
    assert found.compared[1:] == ["last.keras", "best.keras"]
    assert "no whole checkpoint" in found.left_out[0]


def test_the_best_model_is_compared_when_its_epoch_is_among_the_first(digits, outputs):
    run = train(digits(monitor={"metric": "val_loss", "mode": "max"}), outputs=outputs)
    assert run.metrics()["best_epoch"] == 1
    assert verified(run, epochs=1).compared == ["history.csv (1 epoch)", "best.keras"]


def test_a_damaged_model_is_left_out(run):
    run.model_file("best").write_bytes(run.model_file("best").read_bytes()[:200])
    found = verified(run)
    assert found.equal
    assert "best.keras" not in found.compared
    assert "best.keras" in found.left_out[0]


@pytest.mark.slow
def test_a_run_that_stopped_early_stops_at_the_same_epoch(table_run):
    stopping = [{"name": "EarlyStopping", "monitor": "loss", "patience": 1, "min_delta": 10, "start_from_epoch": 3}]
    run = table_run(training={**SHORT, "epochs": 8}, callbacks=stopping)
    done = len(run.history())
    assert 3 < done < 8
    found = verified(run)
    assert found.equal
    assert found.repeated == done
    assert verified(run, epochs=1).equal  # fewer epochs than `start_from_epoch` are no trouble


def test_the_first_epochs_of_a_run_with_stages_are_verified(digits, outputs):
    stages = [{"epochs": 3}, {"epochs": 2, "learning_rate": 1e-4}]
    stopping = [{"name": "EarlyStopping", "monitor": "loss", "patience": 1, "min_delta": 10}]
    run = train(
        digits(training={**SHORT, "epochs": 5, "batch_size": 128, "stages": stages}, callbacks=stopping),
        outputs=outputs,
    )
    run.update(git=[])
    assert run.stages_began() == [0, 2]
    for epochs in (1, 3):
        found = verified(run, epochs=epochs)
        assert (found.equal, found.repeated) == (True, epochs)


def test_a_run_of_another_length_differs(run):
    kept = run.history_file.read_text().splitlines()[:-1]
    run.history_file.write_text("\n".join(kept) + "\n")
    run.timing_file.unlink()  # with it the file counts as cut off
    found = verified(run)
    assert (found.equal, found.epochs, found.repeated) == (False, 2, 3)


def test_the_epochs_that_an_interrupted_run_has_are_verified(run):
    run.update(status="interrupted")
    found = verified(run)
    assert found.equal
    assert found.compared == ["history.csv (3 epochs)", "weights", "optimizer state", "best weights"]
    assert run.record()["verifications"][0]["whole"] is False


PLUGIN = """
import random
import dlrun, keras

@dlrun.model("drawn")
def drawn(spec, *, units: int = 3):
    "A net that begins where nobody can begin again."
    start = keras.initializers.Constant(random.SystemRandom().random())
    inputs = keras.Input(spec.input.shape)
    return keras.Model(inputs, keras.layers.Dense(1, "sigmoid", kernel_initializer=start)(inputs))
"""


def test_a_plugin_that_draws_its_own_numbers_is_named(table_run, tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(PLUGIN)
    table_run(plugins=[str(tmp_path / "mine.py")], model={"name": "drawn"})
    monkeypatch.chdir(tmp_path)
    assert main(["verify", "-", "--quiet"]) == 1
    told = capsys.readouterr().out
    assert "values in weights, by" in told
    assert "a defect of dlrun or of mine.py (does it draw random numbers" in told


def test_a_running_run_is_refused(run):
    run.start(run.record())
    with pytest.raises(ConfigError, match="is running"):
        plan(run)


def test_a_run_without_an_epoch_is_refused(run):
    run.write_history([], [])
    with pytest.raises(RunDirError, match="no finished epoch"):
        plan(run)


def test_other_data_is_refused_before_anything_is_trained(table_run, tmp_path):
    run = table_run()
    text = (tmp_path / "rows.csv").read_text()
    (tmp_path / "rows.csv").write_text(text.replace("6,1,yes", "6,1,no", 1))
    with pytest.raises(DataError, match="not what the run was trained on"):
        verified(run)
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(DataError, match=r"rows\.csv"):
        verified(run)
    assert "verifications" not in run.record()


def test_the_first_epochs_leave_weights_of_the_end_out_and_a_repetition_can_be_kept(run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = verified(run, epochs=1, keep=True)
    assert found.equal
    assert found.compared == ["history.csv (1 epoch)"]
    assert found.left_out == ["weights: the run keeps those of its end only, not of epoch 1"]
    assert len(RunDir(found.kept).history()) == 1


def test_a_run_that_cannot_be_written_is_verified_all_the_same(run, monkeypatch):
    def refuse(*_args, **_fields):
        raise RunDirError("run.json cannot be written")

    found_config = load_config(run.config_file)
    original = RunDir.update
    monkeypatch.setattr(RunDir, "update", lambda self, **f: refuse() if self.path == run.path else original(self, **f))
    found = verify(run, found_config, epochs=1)
    assert (found.equal, found.recorded) == (True, False)


def test_the_verb_ends_with_zero_when_equal_and_one_when_not(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert main(["verify", "-", "--epochs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["equal"]
    change_cell(run, 1, "loss", "9.0")
    assert main(["verify", "-", "--quiet", "--epochs", "1"]) == 1
    told = capsys.readouterr().out
    assert "epoch 1: loss was 9.0, is" in told
    assert "this is a defect of dlrun;" in told
    assert main(["show", "-"]) == 0
    assert "different: the first epoch repeated on" in capsys.readouterr().out
    assert not list((tmp_path / "temporary").iterdir())


def rows_of(result, run):
    return {label: text for label, text in result_rows(run, load_config(run.config_file), result) if label}


def test_the_result_of_equal_runs_in_words(digits_run):
    result = Verification(3, 3, None, [], ["history.csv (3 epochs)", "weights"], reasons=["keras: 1 then, 2 now"])
    rows = rows_of(result, digits_run)
    assert rows["[green]equal[/]"] == "bit for bit: history.csv (3 epochs), weights"
    assert rows["in spite of"] == "keras: 1 then, 2 now"


def test_the_result_of_a_repetition_that_failed_in_words(digits_run):
    failed = Verification(3, 1, None, [], [], reasons=["keras: 1 then, 2 now"], failure="loss became nan in epoch 2")
    rows = rows_of(failed, digits_run)
    assert rows["[red]different[/]"] == "the repetition failed: loss became nan in epoch 2"
    assert rows["may be why"] == "keras: 1 then, 2 now"
    assert "no reason" not in rows
