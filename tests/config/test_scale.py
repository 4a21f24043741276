import pytest

from dlrun.cli import main
from dlrun.config.dumping import dump_config
from dlrun.config.identity import identity
from dlrun.config.loading import load_config
from dlrun.config.scale import deviation_text, deviations, small_overrides
from dlrun.report import write_report
from dlrun.run_dir import find_run

CONFIG = """
name: c
data: {name: digits, image: true}
model:
  name: layers
  layers: [{Conv2D: {filters: 8, kernel_size: 3}}, Flatten]
training: {epochs: 9}
small: {training.epochs: 1, "model.layers[0]": {Conv2D: {filters: 1, kernel_size: 7}}, training.batch_size: 1000}
expect: {metric: accuracy, above: 0.9}
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG)
    return file


def small(path, *more):
    return load_config(path, (*small_overrides(load_config(path)), *more))


def test_a_config_made_small_knows_what_stood_there(path):
    config = small(path)
    assert (config.training.epochs, config.training.batch_size, config.expect) == (1, 1000, [])
    assert config.shortened["training.epochs"] == 9
    assert deviations(config)["model.layers[0]"] == {
        "book": {"Conv2D": {"filters": 8, "kernel_size": 3}},
        "small": {"Conv2D": {"filters": 1, "kernel_size": 7}},
    }
    assert deviation_text(deviations(config)).startswith("training.epochs 1 instead of 9, model.layers[0] {Conv2D")


def test_what_the_user_sets_counts_more_and_what_is_as_before_is_no_deviation(path):
    config = small(path, "training.epochs=9", "training.batch_size=64")
    assert deviations(config).keys() == {"training.batch_size", "model.layers[0]"}
    assert deviations(config)["training.batch_size"] == {"book": 32, "small": 64}


def test_it_is_the_same_experiment_as_one_written_so_and_reads_back_as_itself(path, tmp_path):
    config = small(path)
    bare = load_config(path, (*small_overrides(load_config(path)), "~shortened"))
    assert identity(config) == identity(bare)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_config(config))
    assert load_config(copy).model_dump() == config.model_dump()


def test_a_run_and_its_report_say_how_it_was_made_small(path, outputs, capsys):
    assert main(["train", str(path), "--scale", "small", "--outputs", str(outputs), "--quiet"]) == 0
    assert "small: training.epochs 1 instead of 9" in " ".join(capsys.readouterr().out.split())
    run = find_run("-", outputs)
    assert run.record()["shortened"]["training.epochs"] == {"book": 9, "small": 1}
    assert "Made small (--scale small): training.epochs 1 instead of 9" in write_report(["-"], outputs).read_text()


def test_a_config_without_the_key_has_no_small_size(digits, tmp_path, capsys):
    file = tmp_path / "d.yaml"
    file.write_text(dump_config(digits()))
    assert main(["train", str(file), "--scale", "small"]) == 2
    assert "no key `small`" in capsys.readouterr().err
    assert main(["train", "--resume", "x", "--scale", "small"]) == 2
    assert "a resumed run keeps its size" in capsys.readouterr().err
