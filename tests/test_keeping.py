"""Which weights stay after the end of a run."""

import pytest

from dlrun.analysis.verify import verify
from dlrun.cli import main
from dlrun.config.identity import identity
from dlrun.config.loading import load_config
from dlrun.errors import ConfigError, RunDirError
from dlrun.files import write_json
from dlrun.keeping import check_model, keep_only
from dlrun.resuming import config_to_resume
from dlrun.run_dir import RunDir
from dlrun.train import train

WEIGHTS = {"checkpoint", "best.keras", "best-generator.keras", "last.keras"}


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("all", WEIGHTS),
        ("both", WEIGHTS - {"checkpoint"}),
        ("best", {"best.keras", "best-generator.keras"}),
        ("last", {"last.keras"}),
        ("none", set()),
    ],
)
def test_what_is_not_kept_goes_and_the_run_knows_why(tmp_path, keep, left):
    run = RunDir(tmp_path / "run")
    (run.checkpoint / "000001").mkdir(parents=True)
    for name in WEIGHTS - {"checkpoint"}:
        (run.path / name).touch()
    write_json(run.record_file, {"status": "completed"})
    keep_only(run, keep, "nobody wants it")
    assert {path.name for path in run.path.iterdir()} == {"run.json", *left}
    assert set(run.record().get("removed", {"files": []})["files"]) == WEIGHTS - left
    keep_only(run, "none", "all of it")
    assert {path.name for path in run.path.iterdir()} == {"run.json"}
    assert set(run.record()["removed"]["files"]) == WEIGHTS
    with pytest.raises(RunDirError, match=r"last\.keras of the run run was removed: (.|\n)*-s training.keep=all"):
        check_model(run.model_file("last"))


def test_a_model_that_was_never_there_was_not_removed(tmp_path):
    with pytest.raises(RunDirError, match="there is no model at"):
        check_model(tmp_path / "best.keras")


def test_what_a_run_keeps_is_not_part_of_which_experiment_it_is(digits):
    training = {"epochs": 3, "batch_size": 128}
    assert identity(digits(training=training)) == identity(digits(training={**training, "keep": "none"}))


def test_a_run_that_keeps_nothing_has_its_figures_and_can_be_made_longer(digits, outputs, capsys):
    training = {"epochs": 2, "batch_size": 128, "tensorboard": False}
    run = train(digits(training={**training, "keep": "none"}), outputs=outputs)
    assert not run.checkpoint.exists()
    assert not [*run.path.glob("*.keras")]
    assert run.metrics()["epochs"] == len(run.history()) == 2
    for verb in ("evaluate", "predict"):
        assert main([verb, run.id, "--outputs", str(outputs)]) == 1
        assert "best.keras of the run" in capsys.readouterr().err
    found = verify(run, load_config(run.config_file))
    assert found.equal
    assert found.compared == ["history.csv (2 epochs)"]
    with pytest.raises(ConfigError, match="a run that goes on keeps what it was begun with"):
        config_to_resume(run, ["training.epochs=3", "training.batch_size=64"])
    longer = config_to_resume(run, ["training.epochs=3", "training.keep=best"])
    train(longer, resume=run)
    whole = train(digits(training={**training, "epochs": 3}), outputs=outputs)
    assert run.history() == whole.history()
    assert [path.name for path in run.path.glob("*.keras")] == ["best.keras"]
    assert set(run.record()["removed"]["files"]) == {"checkpoint", "last.keras"}
