import pytest

from dlrun.config.identity import identity
from dlrun.config.loading import config_from_mapping
from dlrun.errors import ConfigError

BASE = {"data": "digits", "model": "mlp"}
PLUGIN = 'import dlrun\n\n\n@dlrun.model("mine")\ndef mine(spec, *, units: int = 1):\n    return None\n'


def of(study=False, **keys):
    return identity(config_from_mapping({**BASE, **keys}), study=study)


@pytest.mark.parametrize(
    "keys",
    [
        {"name": "other", "description": "the same again"},
        {"expect": {"metric": "loss", "below": 1}, "small": {"training.epochs": 1}},
        {"training": {"tensorboard": False, "checkpoint_every_seconds": 60}},
        {"callbacks": [{"name": "CSVLogger", "filename": "log.csv"}]},
        {"data": {"name": "digits", "dir": "/elsewhere"}},
        {"kfold": {"n_splits": 3}},
        {"optimizer": {"name": "rmsprop", "learning_rate": 0.001}},
    ],
)
def test_what_does_not_change_a_result_does_not_make_another_experiment(keys):
    assert of(**keys) == of()


@pytest.mark.parametrize(
    "keys",
    [
        {"seed": 2},
        {"training": {"epochs": 11}},
        {"loss": "categorical_crossentropy"},
        {"data": {"name": "digits", "sample": True}},
        {"callbacks": ["TerminateOnNaN"]},
        {"split": {"validation": 0.3}},
        {"runtime": {"threads": 1}},
    ],
)
def test_what_may_change_a_result_makes_another_experiment(keys):
    assert of(**keys) != of()


def test_a_study_is_told_by_its_folds():
    assert of(study=True, kfold={"n_splits": 3}) != of(study=True, kfold={"n_splits": 4})


def test_a_file_counts_by_its_name_and_a_plugin_by_its_content(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(PLUGIN)
    first, second = ({"plugins": [str(tmp_path / folder / "mine.py")]} for folder in ("a", "b"))
    assert of(**first) == of(**second) != of()
    paths = [{"name": "csv", "path": f"{folder}/t.csv", "target": "y"} for folder in ("a", "b")]
    assert of(data=paths[0]) == of(data=paths[1]) != of(data={**paths[0], "path": "a/other.csv"})
    loaded = config_from_mapping({**BASE, **second})
    (tmp_path / "b" / "mine.py").write_text(PLUGIN.replace("1", "2"))
    assert of(**first) != identity(loaded)
    (tmp_path / "b" / "mine.py").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        identity(loaded)
