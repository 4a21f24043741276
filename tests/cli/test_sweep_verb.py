import json

import pytest

from dlrun.cli import main
from dlrun.config.loading import dump_config
from dlrun.run_dir import RunDir
from dlrun.studies import sweep
from dlrun.studies._study_dir import StudyDir

SWEEP = """
sweep:
  n_trials: 3
  space:
    model.hidden: {layers: [1, 2], int: [8, 64]}
    optimizer.name: {choice: [rmsprop, sgd]}
    optimizer.nesterov: {choice: [true, false], when: {optimizer.name: sgd}}
    optimizer.learning_rate: {float: [1e-4, 1e-1], log: true}
"""
SUMMARY = {
    "notes": ["a remark"],
    "objective": "holdout",
    "monitor": "val_accuracy",
    "n_trials": 2,
    "counts": {"completed": 1, "pruned": 1},
    "best": {"run": "trial-001", "trial": 1, "value": 0.975},
    "own": {"value": 0.875},
    "importances": {"model.hidden[0]": 0.75, "optimizer.name": 0.25},
    "ranking": [
        {
            "trial": 1,
            "value": 0.975,
            "epochs": 7,
            "values": {"model.hidden": [8, 9], "optimizer.learning_rate": 0.0012345},
        }
    ],
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "digits.yaml"
    path.write_text("data: digits\nmodel: mlp\nmonitor: val_accuracy\n" + SWEEP)
    return path


@pytest.fixture
def worked(monkeypatch):
    """`sweep.run` without the work; the options it was given."""
    from dlrun.studies._sweep_trials import Ended

    given = []

    def run(study, options, *, command, on_end):
        study.start(command=command)
        study.end("completed")
        given.append(options)
        on_end(Ended(0, {"optimizer.name": "sgd"}, pruned_at=4))
        on_end(Ended(1, {"optimizer.name": "sgd"}, failure="no such file"))
        return SUMMARY

    monkeypatch.setattr(sweep, "run", run)
    return given


def test_the_plan_is_shown_and_nothing_is_left_behind(config, outputs, capsys):
    arguments = ["sweep", str(config), "--trials", "7", "--jobs", "2", "--sampler", "random", "--outputs", str(outputs)]
    assert main([*arguments, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "7 trials of 4 keys by val_accuracy (max, holdout), sampler random, pruner median; 2 at once" in shown
    assert "  optimizer.learning_rate: {float: [0.0001, 0.1], log: true}" in shown
    assert main([*arguments, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["n_trials"], plan["jobs"], plan["space"]["model.hidden"]["layers"]) == (7, 2, [1, 2])
    assert not outputs.exists()


def test_each_trial_gets_a_line_and_the_end_says_what_to_do_next(config, outputs, worked, capsys):
    assert main(["sweep", str(config), "--outputs", str(outputs)]) == 0
    shown = capsys.readouterr()
    assert "trial 0    pruned at 4" in shown.err
    assert "trial 1    failed: no such file" in shown.err
    assert "note: a remark" in shown.err
    assert "model.hidden [8, 9]  optimizer.learning_rate 0.001234" in shown.out
    (study,) = outputs.glob("*/*")
    assert f"dlrun retrain {study}/trial-001" in shown.out.replace("\n", "")
    assert "config as it stands  val_accuracy 0.875" in shown.out


def test_quiet_and_json_leave_nothing_but_the_result(config, outputs, worked, capsys):
    assert main(["sweep", str(config), "--outputs", str(outputs), "--quiet", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["summary"] == SUMMARY
    assert shown.err == ""


def test_a_sweep_goes_on_with_more_trials_and_under_its_own_plan_only(config, outputs, worked, capsys):
    assert main(["sweep", str(config), "--outputs", str(outputs)]) == 0
    assert main(["sweep", "--resume", "-", "--trials", "9", "--jobs", "1", "--outputs", str(outputs)]) == 0
    assert worked[-1] == sweep.Options(9, 1)
    assert main(["sweep", "--resume", "-", "--sampler", "qmc", "--outputs", str(outputs)]) == 2
    assert "as it was begun" in capsys.readouterr().err
    assert main(["sweep", "--outputs", str(outputs)]) == 2


def test_a_study_of_folds_is_no_sweep(outputs, capsys):
    study = StudyDir.create(outputs, "digits", "kfold")
    study.start(verb="kfold")
    assert main(["sweep", "--resume", "-", "--outputs", str(outputs)]) == 2
    assert "is no study of dlrun sweep" in capsys.readouterr().err


def test_a_config_without_a_space_says_how_to_add_one(digits, tmp_path, capsys):
    path = tmp_path / "plain.yaml"
    path.write_text(dump_config(digits()))
    assert main(["sweep", str(path)]) == 2
    assert "add `sweep: {space:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "culprit", "message"),
    [
        ("model.hiden: {int: [1, 2]}", "model.hiden", "model.hiden is not an argument of the model `mlp`"),
        ("modle.hidden: {int: [1, 2]}", "modle", "modle is not a key of a config"),
        ("model.dropout: {float: [0.0, 1.5]}", "1.5", "model.dropout is not a number from 0 to below 1"),
        ("model.dropout: {float: [-1, 0.5]}", "-1", "model.dropout is not a number from 0 to below 1"),
        ("training.batch_size: {choice: [16, 32.5]}", "32.5", "training.batch_size is not an integer"),
        ("training.epochs: {int: [0, 5]}", "0, 5", "training.epochs is out of range"),
        ("optimizer.rho: {float: [0.1, 0.9], when: {optimizer.name: sgd}}", "optimizer.rho", "rho is not an argument"),
        ("optimizer: {choice: [{name: adam, beta: 1}]}", "{name", "beta is not an argument of the optimizer `adam`"),
        ("model.hidden: {layers: [1, 2], choice: [8, many]}", "many", "model.hidden[0] is not an integer"),
        ("loss: {choice: [sparse_categorical_crossentropy, msee]}", "msee", "Keras has no loss named 'msee'"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "sweep"])
def test_a_key_or_value_that_does_not_fit_is_refused_at_its_place(
    config, outputs, capsys, verb, line, culprit, message
):
    text = config.read_text()
    name = line.partition(":")[0]
    kept = [one for one in text.splitlines() if not one.startswith(f"    {name}:")]
    config.write_text("\n".join([*kept, f"    {line}"]))
    options = ["--outputs", str(outputs)] if verb == "sweep" else []
    assert main([verb, str(config), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {config}:{len(kept) + 1}:{5 + line.index(culprit)}: "), error
    assert message in error
    assert not outputs.exists()


def test_what_a_dead_sweep_left_behind_is_said_on_resuming(config, outputs, worked, capsys):
    assert main(["sweep", str(config), "--outputs", str(outputs)]) == 0
    (path,) = outputs.glob("*/*")
    StudyDir(path).start()
    record = StudyDir(path).record()
    record["process"]["pid"] = 2**22 + 1
    (path / "study.json").write_text(json.dumps(record))
    assert main(["sweep", "--resume", str(path)]) == 0
    assert "(interrupted)" in capsys.readouterr().err
    assert not RunDir(path / "trial-000").record_file.exists()
